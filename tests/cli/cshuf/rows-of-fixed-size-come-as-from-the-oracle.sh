. "$TESTS/cli/cshuf/check.bash"
rows 30000 >all
head -c 500000 all >in
for size in 1 8 1000 250000; do
    oracle-cshuf -s 5 --rows fixed:$size in >want
    for m in 256K 64M; do
        quiet cshuf -s 5 -m $m --rows fixed:$size in >out
        cmp out want
    done
done
