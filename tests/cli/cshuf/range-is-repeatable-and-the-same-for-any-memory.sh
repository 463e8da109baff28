. "$TESTS/cli/cshuf/check.bash"
cshuf -s 11 -i 1-200000 >full
for m in 256K 1M 1G; do
    cshuf -s 11 -m $m -i 1-200000 | cmp - full
done
seq 200000 | cmp - <(sort -n full)
