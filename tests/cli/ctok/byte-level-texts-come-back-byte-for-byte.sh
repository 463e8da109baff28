. "$TESTS/cli/ctok/check.bash"
gpt2
# every byte, newline and NUL included: rows behind their lengths
LC_ALL=C awk 'BEGIN { for (r = 0; r < 50; r++) { printf "%c%c%c%c", 0, 1, 0, 0
    for (i = 0; i < 256; i++) printf "%c", (i * (2 * r + 1) + r) % 256 } }' >in
quiet ctok encode -V gpt2 --rows=u32 --invalid=bytes in >ids
quiet ctok decode -V gpt2 --rows=u32 ids | cmp - in
quiet ctok encode -V gpt2 --rows=u32 --invalid=bytes --output=stream in |
    ctok decode -V gpt2 --rows=u32 --input=stream | cmp - in
texts 500 >in
for f in ids jsonl stream; do
    quiet ctok encode -V gpt2 --output=$f in | ctok decode -V gpt2 --input=$f | cmp - in
done
tr -d '\n' <in >flat
quiet ctok encode -V gpt2 --output=u16 in | ctok decode -V gpt2 --input=u16 --rows=nul |
    tr -d '\0' | cmp - flat
quiet ctok encode -V gpt2 in | ctok decode -V gpt2 --output=jsonl >out
jsonl <in | sed 's/"id":[0-9]*,//' | cmp - out
