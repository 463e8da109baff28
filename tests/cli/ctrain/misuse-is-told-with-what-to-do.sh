. "$TESTS/cli/ctrain/check.bash"
small
refuses 'no data: --data=SET' "Try 'ctrain --help'" -- ctrain
refuses 'no data: --data=SET' -- ctrain -n 5
refuses 'how many steps' -- ctrain --data=s.tslrec
refuses 'need the folder of the run' -- ctrain --data=s.tslrec -n 5 --resume
refuses 'trian is no file, and no command' -- ctrain trian --data=s.tslrec -n 5
refuses 'absent: No such file' -- ctrain --data=absent -n 5
refuses 'a weight is a number above 0' -- ctrain --data=s.tslrec:0 -n 5
refuses 'brt-tiny is neither a config.json nor' 'bert-tiny' -- ctrain --data=s.tslrec -n 5 --model=brt-tiny
refuses 'samples of nsp train an encoder' -- ctrain --data=s.tslrec -n 5 --model=gpt2-tiny
refuses 'no optimizer is called adam' 'adamw' -- ctrain --data=s.tslrec -n 5 --optimizer=adam
refuses 'schedule cosin: there are' -- ctrain --data=s.tslrec -n 5 --schedule=cosin
refuses 'longer than the whole' -- ctrain --data=s.tslrec -n 5 --schedule=linear:warmup=10
refuses 'invalid --dtype: fp16 (f32 or bf16)' -- ctrain --data=s.tslrec -n 5 --dtype=fp16
refuses 'abc is not a number' -- ctrain --data=s.tslrec -n 5 --lr=abc
refuses 'invalid number for --steps' -- ctrain --data=s.tslrec -n x
refuses 'a dropout is a number' -- ctrain --data=s.tslrec -n 5 --dropout=1.5
refuses 'abc is not a number' -- ctrain --data=s.tslrec -n 5 --initializer-range=abc
refuses 'cannot be divided' -- ctrain --data=s.tslrec -n 5 --heads=3
refuses 'data for mlm, not for foo' -- ctrain --data=s.tslrec -n 5 --objective=foo
refuses 'more than 16' 'truncate' -- ctrain --data=s.tslrec -n 5 --seq-length=16
refuses 'a vocabulary of 60, the model one of 10' -- ctrain --data=s.tslrec -n 5 --vocab-size=10
refuses 'beta1 cannot be 1.5' -- ctrain --data=s.tslrec -n 5 --beta1=1.5
for option in layers hidden heads intermediate vocab-size batch seq-length accumulate save-every \
    log-every eval-every eval-batches; do
    refuses "$option: 0 is not a whole number from 1" -- ctrain --data=s.tslrec -n 5 "--$option=0"
    refuses "$option: 4294967297 is not a whole number from 1" -- \
        ctrain --data=s.tslrec -n 5 "--$option=4294967297"
done
for option in length top-k beam samples; do
    refuses "$option: 0 is not a whole number from 1" -- ctrain sample -V vocab.txt run a "--$option=0"
done
refuses "top: 0 is not a whole number" -- ctrain fill -V vocab.txt run a --top=0
refuses "batches: 0 is not a whole number" -- ctrain eval run --data=s.tslrec --batches=0
mkdir empty
refuses 'model.safetensors' -- ctrain --data=s.tslrec -n 5 --init=empty
refuses 'is a file, not the folder of a run' -- ctrain --data=s.tslrec -n 5 -o s.tslrec
[[ $(ls) == $'empty\ns.tslrec\ns.tslrec.tok\nvocab.txt' ]]
# a vocabulary that is not the one of the model
cp vocab.txt more.txt
echo another >>more.txt
quiet ctrain "${five[@]}" -o run
refuses "more.txt has 61 tokens, the model knows 60" -- ctrain fill -V more.txt run "a [MASK]"
refuses "line 1 has no" -- ctrain fill -V vocab.txt run none
# the same options as ctok's, refused alike
refuses 'no vocabulary: -V names it' -- ctrain fill run "a [MASK]"
refuses 'invalid --pattern: p60k' -- ctrain fill -V vocab.txt --pattern=p60k run "a [MASK]"
refuses 'cannot combine --lowercase and --cased' -- \
    ctrain sample -V vocab.txt --lowercase --cased run "a"
