. "$TESTS/cli/cshuf/check.bash"
rows 500 >in
cshuf -s 1 in >want
quiet cshuf -s 1 --header 0 in >out
cmp out want
