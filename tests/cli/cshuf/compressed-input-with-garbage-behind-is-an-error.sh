. "$TESTS/cli/cshuf/check.bash"
rows 2000 >in
zstd -q in -o in.zst
gzip -k in
for file in in.zst in.gz; do
    echo 'garbage, and more of it' >>$file
    refuses $file -- cshuf -o out $file
    [[ ! -e out ]]
done
