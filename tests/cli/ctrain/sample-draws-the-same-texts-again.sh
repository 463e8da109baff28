. "$TESTS/cli/ctrain/check.bash"
vocabulary
lines 300 5 | ctok encode -V vocab.txt --output=stream -o train.tok
quiet ctrain train --model=gpt2-tiny --layers=1 --hidden=32 --heads=2 --batch=8 --quiet \
    --data=train.tok --objective=clm --seq-length=16 -n 60 --lr=5e-3 -o run
sample() { quiet ctrain sample -V vocab.txt run --length=10 "$@"; }
sample 'lona mina' >greedy
grep -q '^lona mina [a-z。]' greedy
sample 'lona mina' -j 3 | cmp - greedy
sample 'lona mina' --top-k=1 | cmp - greedy
sample 'lona mina' --beam=1 | cmp - greedy
sample 'lona mina' --temperature=0 | cmp - greedy

# the same draws, however many are asked for
sample 'lona mina' --temperature=1 -n 5 >five
sample 'lona mina' --temperature=1 -n 3 -j 2 | cmp - <(head -n 3 five)
[[ $(sort -u five | wc -l) -ge 3 ]]
sample 'lona mina' --temperature=1 -n 5 --seed=2 >other
differ five other

# a search finds nothing worse than what greed does
sample 'lona mina' --json | sed 's/.*"score": //' >greedy.score
sample 'lona mina' --beam=4 -n 4 --json | sed 's/.*"score": //' >beam.score
[[ $(wc -l <beam.score) == 4 ]]
sed 's/}//' beam.score | sort -gr | cmp - <(sed 's/}//' beam.score)
awk -v g="$(sed 's/}//' greedy.score)" 'NR == 1 { exit !($1 + 0 >= g - 1e-9) }' beam.score

refuses 'no token that begins' -- ctrain sample -V vocab.txt run
refuses 'search draws nothing' -- ctrain sample -V vocab.txt run lona --beam=2 --top-k=4
refuses 'decoder' -- ctrain fill -V vocab.txt run 'lona [MASK]'
