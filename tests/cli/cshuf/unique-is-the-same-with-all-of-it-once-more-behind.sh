. "$TESTS/cli/cshuf/check.bash"
rows 5000 >in
cshuf -s 2 --unique in >want
quiet cshuf -s 2 --unique in in >out
cmp out want
cat in in | cshuf -s 2 --unique -m 256K -j 2 | cmp - want
