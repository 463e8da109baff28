. "$TESTS/cli/cshuf/check.bash"
rows 5000 >in
quiet cshuf -o a.zst in
quiet cshuf -o b.gz a.zst
quiet cshuf b.gz >out
permutes out in
