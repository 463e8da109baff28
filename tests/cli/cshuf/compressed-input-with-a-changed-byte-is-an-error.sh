. "$TESTS/cli/cshuf/check.bash"
rows 20000 >in
zstd -q --check in -o in.zst
gzip -k in
for file in in.zst in.gz; do
    at=$(($(wc -c <$file) / 2))
    byte=$(od -An -tu1 -j $at -N 1 $file)
    printf "\\x$(printf %x $((byte ^ 16)))" | dd of=$file bs=1 seek=$at conv=notrunc 2>dd.err
    refuses $file -- cshuf -o out $file
    [[ ! -e out ]]
done
