. "$TESTS/cli/cshuf/check.bash"
rows 1000 >text
awk '{ print $1 }' text >numbers
split -l 300 text part.
quiet cshuf --with numbers=n.out -o out part.*
awk '{ print $1 }' out | cmp - n.out
