. "$TESTS/cli/ctrain/check.bash"
vocabulary
masked 300 train.tslrec 5
little --data=train.tslrec -n 60 --lr=5e-3 -o run
quiet ctrain fill -V vocab.txt run 'lona [MASK] rena [MASK] 。' -j 1 >one
quiet ctrain fill -V vocab.txt run 'lona [MASK] rena [MASK] 。' -j 3 >three
cmp one three
[[ $(wc -l <one) == 2 ]]
awk -F '\t' 'NF != 12 || $1 != 1 || $2 != NR { exit 1 }
    { for (i = 4; i < NF; i += 2) if ($i < $(i + 2) || $i > 1) exit 1 }' one
quiet ctrain fill -V vocab.txt run -n 60 '[MASK] lona' | head -n 1 |
    awk -F '\t' '{ for (i = 4; i <= NF; i += 2) sum += $i; exit !(sum > .9999 && sum < 1.0001) }'

# lines of standard input, each by itself
printf '%s\n' 'lona [MASK] rena [MASK] 。' 'mina [MASK]' | quiet ctrain fill -V vocab.txt run >lines
head -n 2 lines | cmp - one
[[ $(tail -n 1 lines | cut -f 1,2) == $'2\t1' ]]
quiet ctrain fill -V vocab.txt run --json -n 1 'mina [MASK]' |
    grep -q '^{"line": 1, "mask": 1, "candidates": \[{"token": "[^"]*", "id": [0-9]*, "p": [0-9.e-]*}\]}$'

refuses 'line 1 has no \[MASK\]' -- ctrain fill -V vocab.txt run 'lona mina'
refuses 'no vocabulary' -- ctrain fill run 'lona [MASK]'
refuses '600 tokens\|602 tokens' '512 positions' -- ctrain fill -V vocab.txt run \
    "$(yes lona | head -n 599 | tr '\n' ' ') [MASK]"
refuses 'none.txt' -- ctrain fill -V none.txt run 'lona [MASK]'
seq 100 | sed 's/^/w/' >>vocab.txt
refuses 'is this its vocabulary' -- ctrain fill -V vocab.txt run 'w77 [MASK]'
