. "$TESTS/cli/cshuf/check.bash"
rows 60000 >in
oracle-cshuf -s 3 in >want
for m in 256K 300K 512K 1M 1.5M 3M 16M 1G 10%; do
    quiet cshuf -s 3 -m $m in >out
    cmp out want
done
