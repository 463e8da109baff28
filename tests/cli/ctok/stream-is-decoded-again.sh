. "$TESTS/cli/ctok/check.bash"
tiny
texts 3000 | tr -d '"()' >in
quiet ctok encode -V vocab.txt --split-sentences --output=stream in -o a.tok
quiet ctok encode -V vocab.txt --split-sentences --output=stream --compress=zstd in -o b.tok
quiet ctok encode -V vocab.txt --split-sentences --output=stream in -o c.tok.zst
quiet ctok encode -V vocab.txt in | ctok decode -V vocab.txt >want
for f in a.tok b.tok c.tok.zst; do
    for j in 1 3; do
        quiet ctok decode -V vocab.txt --input=stream -j $j $f >out
        cmp out want
    done
done
zstd -dqc c.tok.zst | cmp - a.tok
[[ $(stat -c %s b.tok) -lt $(stat -c %s a.tok) ]]
head -c 5000 a.tok >cut.tok
refuses 'cut.tok: input ended early' -- \
    ctok decode -V vocab.txt --input=stream -o cut.txt cut.tok
[[ ! -e cut.txt ]]
