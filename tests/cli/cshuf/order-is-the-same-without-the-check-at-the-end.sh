. "$TESTS/cli/cshuf/check.bash"
rows 30000 >in
oracle-cshuf -s 3 in >want
quiet cshuf -s 3 -m 256K --no-verify in >out
cmp out want
