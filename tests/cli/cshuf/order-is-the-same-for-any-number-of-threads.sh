. "$TESTS/cli/cshuf/check.bash"
rows 60000 >in
oracle-cshuf -s 3 in >want
for j in 1 2 3 4; do
    for m in 256K 64M; do
        quiet cshuf -s 3 -j $j -m $m in >out
        cmp out want
    done
done
