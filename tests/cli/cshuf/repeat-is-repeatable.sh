. "$TESTS/cli/cshuf/check.bash"
rows 3000 >in
cshuf -s 4 -r -n 5000 in >want
for m in 256K 1G; do
    cshuf -s 4 -m $m -j 3 -r -n 5000 in | cmp - want
done
cshuf -s 5 -r -n 5000 in >other
differ other want
