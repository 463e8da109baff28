. "$TESTS/cli/cshuf/check.bash"
rows 500 >in
cshuf -s 2 in >want
cshuf -s 2 -v in >out 2>err
cmp out want
grep -q '^cshuf: ' err
lacks '^[^c]' err
