. "$TESTS/cli/cshuf/check.bash"
rows 5000 >text
awk '{ print "label " $1 }' text >labels
quiet cshuf -s 2 --with labels=labels.out -o out text
cshuf -s 2 text | cmp - out
awk '{ print "label " $1 }' out | cmp - labels.out
