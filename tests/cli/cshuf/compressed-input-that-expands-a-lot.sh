. "$TESTS/cli/cshuf/check.bash"
# the plan, made from the compressed size, is far off then
head -c 1500000 /dev/zero | tr '\0' '\n' >blank
seq 400000 | sed 's/.*/abc/' >same
for file in blank same; do
    zstd -q $file -o $file.zst
    for how in '-m 640K -j 4' '-m 3M' '-m 9M -j 4'; do
        quiet timeout 60 cshuf $how $file.zst >out
        cmp out $file
    done
done
rows 60000 | sed 'p; p; p; p' >many
zstd -q -19 many -o many.zst
quiet timeout 60 cshuf -s 2 -m 3M many.zst >out
cshuf -s 2 many | cmp - out
