. "$TESTS/cli/ctrain/check.bash"
vocabulary
masked 60 train.tslrec 5
masked 60 other.tslrec 9
run=(ctrain train --model=bert-tiny --layers=1 --hidden=32 --heads=2 --batch=8 --quiet -n 6
    --save-every=3)
quiet "${run[@]}" --data=train.tslrec -o run
cp -r run kept
refuses 'run has a run already' '\-\-resume' '\-\-force' -- "${run[@]}" --data=train.tslrec -o run
refuses 'other data' 'train.tslrec' 'other.tslrec' -- "${run[@]}" --data=other.tslrec -o run --resume
refuses '2 data sets\|1 data sets' -- "${run[@]}" --data=train.tslrec --data=other.tslrec -o run --resume
refuses 'other options' 'lr: 0.001' 'lr: 0.5' -- "${run[@]}" --data=train.tslrec --lr=.5 -o run --resume
refuses 'other options' 'seed' -- "${run[@]}" --data=train.tslrec --seed=7 -o run --resume
refuses 'other options' 'batch: 8' 'batch: 4' -- "${run[@]}" --data=train.tslrec --batch=4 -o run --resume
refuses 'other options' 'num_hidden_layers' -- \
    "${run[@]}" --data=train.tslrec --layers=2 -o run --resume
# the same name, but not what was in it
cp other.tslrec train.tslrec
refuses 'train.tslrec' 'not the same content' -- "${run[@]}" --data=train.tslrec -o run --resume
diff -r kept run
