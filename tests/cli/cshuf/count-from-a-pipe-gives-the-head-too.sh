. "$TESTS/cli/cshuf/check.bash"
rows 20000 >in
cshuf -s 8 in >full
head -n 300 full >want
cat in | cshuf -s 8 -n 300 -j 1 | cmp - want
cat in | cshuf -s 8 -n 300 -j 4 -m 256K | cmp - want
