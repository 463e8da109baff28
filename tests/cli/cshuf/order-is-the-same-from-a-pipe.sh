. "$TESTS/cli/cshuf/check.bash"
rows 40000 >in
oracle-cshuf -s 3 in >want
for m in 256K 64M; do
    cat in | cshuf -s 3 -m $m | cmp - want
    cshuf -s 3 -m $m <in | cmp - want
    cshuf -s 3 -m $m - <in | cmp - want
    cshuf -s 3 -m $m <(cat in) | cmp - want
    cshuf -s 3 -m $m /dev/stdin <in | cmp - want
done
