. "$TESTS/cli/ctok/check.bash"
plain_build
tiny
texts 2000 | tr '\n' ' ' >long
# the same words as rows that fit, with what a row's begin and end put there taken away
for o in '' --split-sentences; do
    quiet ctok encode -V vocab.txt -m 2G $o long long >want
    for m in 30M 60M; do
        quiet ctok encode -V vocab.txt -m $m $o long long >out
        cmp out want
    done
done
quiet ctok encode -V vocab.txt --output=jsonl -m 2G long >want
quiet ctok encode -V vocab.txt --output=jsonl -m 60M long >out
cmp out want
