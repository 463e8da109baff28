. "$TESTS/cli/cshuf/check.bash"
rows 1000 >text
awk '{ print $1 }' text >numbers
cshuf -s 2 -n 30 text >want
quiet cshuf -s 2 -n 30 --with numbers=n.out -o out text
cmp out want
awk '{ print $1 }' out | cmp - n.out
