. "$TESTS/cli/cshuf/check.bash"
rows 30000 >text
awk '{ print "label " $1 }' text >labels
cshuf -s 2 text >want
for m in 256K 1M 64M; do
    quiet cshuf -s 2 -m $m --with labels=labels.out -o out text
    cmp out want
    awk '{ print "label " $1 }' out | cmp - labels.out
done
cat text | quiet cshuf -s 2 -m 256K --with labels=labels.out -o out
cmp out want
awk '{ print "label " $1 }' out | cmp - labels.out
