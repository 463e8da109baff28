. "$TESTS/cli/cshuf/check.bash"
for i in {1..3000}; do
    n=$((i * 7919 % 30))
    printf "\\x$(printf %x $n)\\0\\0\\0%${n}s" ''
done | tr ' ' '\n' >in
oracle-cshuf -s 5 --rows u32 in >want
for m in 256K 64M; do
    quiet cshuf -s 5 -m $m --rows u32 in >out
    cmp out want
    cat in | cshuf -s 5 -m $m --rows u32 | cmp - want
done
