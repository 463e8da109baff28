. "$TESTS/cli/ctok/check.bash"
tiny
quiet ctok inspect -V vocab.txt >out
for s in '^vocabulary   vocab.txt$' "^kind         BERT's vocab.txt" '^ids          25; 2 bytes each$' \
    '^vocab_id     [0-9a-f]\{32\}$' 'cls  \[CLS\] 2' 'mask \[MASK\] 4' '^longest      6 bytes: \[MASK\] 4'; do
    grep -q "$s" out || { cat out >&2 && echo "no $s" >&2 && exit 1; }
done
gpt2
quiet ctok inspect -V gpt2 | grep -q '^bytes        each of the 256 has a token'
