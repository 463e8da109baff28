. "$TESTS/cli/ctrain/check.bash"
vocabulary
masked 60 train.tslrec 5
run=(ctrain train --model=bert-tiny --layers=1 --hidden=32 --heads=2 --batch=8 --quiet -n 12
    --save-every=1 --data=train.tslrec)
# the step, what was not finite first, and where to go on
refuses 'step [0-9]*: .*bert\|step [0-9]*: .*cls\|step [0-9]*: .*masked tokens' 'not finite' \
    'last good checkpoint is run/checkpoint-' -- "${run[@]}" --lr=1e15 --clip=0 -o run
last=$(ls -d run/checkpoint-* | tail -n 1)
quiet ctrain eval "$last" --data=train.tslrec >e || grep -q 'not finite' quiet.err
refuses 'there is no checkpoint yet' -- "${run[@]}" --save-every=12 --lr=1e15 --clip=0 -o second
