. "$TESTS/cli/ctrain/check.bash"
vocabulary
masked 40 train.tslrec 5
little --data=train.tslrec -n 4 --save-every=2 --ema=0.9 -o run
quiet ctrain eval run --data=train.tslrec >last
grep -q '^model  *run/checkpoint-00000004$' last
quiet ctrain eval run --data=train.tslrec --ema >averaged
[[ $(value loss last) != "$(value loss averaged)" ]]

# a damaged one is told and passed over
printf x | dd of=run/checkpoint-00000004/model.safetensors bs=1 seek=5000 conv=notrunc 2>dd.err
ctrain eval run --data=train.tslrec >before 2>err
grep -q '^model  *run/checkpoint-00000002$' before
grep -q 'passed over: .*checkpoint-00000004' err
refuses 'checkpoint-00000004' 'checksum' -- ctrain eval run/checkpoint-00000004 --data=train.tslrec
