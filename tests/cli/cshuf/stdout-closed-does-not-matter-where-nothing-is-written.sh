. "$TESTS/cli/cshuf/check.bash"
rows 50 >in
quiet cshuf -n 0 in >&-
quiet cshuf -o out in >&-
permutes out in
