. "$TESTS/cli/ctok/check.bash"
tiny
texts 3000 >in
quiet ctok encode -V vocab.txt in >want
gzip -k in && zstd -q in
quiet ctok encode -V vocab.txt in.gz | cmp - want
quiet ctok encode -V vocab.txt in.zst -o out.gz && gzip -dc out.gz | cmp - want
quiet ctok encode -V vocab.txt in.zst -o out.zst && zstd -dqc out.zst | cmp - want
quiet ctok encode -V vocab.txt in --compress=gzip:1 | gzip -dc | cmp - want
quiet ctok decode -V vocab.txt out.zst -o text.gz
ctok decode -V vocab.txt want | cmp - <(gzip -dc text.gz)
