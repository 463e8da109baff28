. "$TESTS/cli/ctrain/check.bash"
small
quiet ctrain "${five[@]}" -o run
refuses 'run has a run already: --resume goes on with it, --force' -- ctrain "${five[@]}" -o run
cp -r run/checkpoint-00000005 before
# other options are told, the first by its name
refuses 'begun with other options: seed: 0 then, seed: 1 now' -- ctrain "${five[@]}" -o run --resume -s 1
refuses 'num_hidden_layers: 1 then, num_hidden_layers: 2 now' -- ctrain "${five[@]}" -o run --resume --layers=2
cp s.tslrec kept.tslrec
small 9
refuses 'other data' 'not the same content' -- ctrain "${five[@]}" -o run --resume
mv kept.tslrec s.tslrec
diff -r before run/checkpoint-00000005
# done already
ctrain "${five[@]}" -o run --resume -v 2>told
grep -q 'all 5 steps were done before' told
quiet ctrain "${five[@]}" -o run --force -s 1
! diff -r before run/checkpoint-00000005 >/dev/null
