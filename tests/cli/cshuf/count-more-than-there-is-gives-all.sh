. "$TESTS/cli/cshuf/check.bash"
rows 100 >in
quiet cshuf -n 5000 in >out
permutes out in
