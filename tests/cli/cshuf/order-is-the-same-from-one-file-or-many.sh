. "$TESTS/cli/cshuf/check.bash"
rows 40000 >in
split -l 1777 in part.
oracle-cshuf -s 3 in >want
for m in 256K 64M; do
    quiet cshuf -s 3 -m $m part.* >out
    cmp out want
done
