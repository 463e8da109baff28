. "$TESTS/cli/cshuf/check.bash"
rows 30000 >in
zstd -q in -o in.zst
gzip -k in
oracle-cshuf -s 3 in >want
for m in 256K 64M; do
    for file in in.zst in.gz; do
        quiet cshuf -s 3 -m $m $file >out
        cmp out want
        cshuf -s 3 -m $m <$file | cmp - want
        cat $file | cshuf -s 3 -m $m | cmp - want
    done
done
