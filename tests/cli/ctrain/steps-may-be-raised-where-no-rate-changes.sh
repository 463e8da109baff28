. "$TESTS/cli/ctrain/check.bash"
small
steady=("${five[@]}" --schedule=constant)
quiet ctrain "${steady[@]}" -o run
quiet ctrain "${steady[@]}" -n 9 -o whole
quiet ctrain "${steady[@]}" -n 9 -o run --resume -q
cmp run/checkpoint-00000009/model.safetensors whole/checkpoint-00000009/model.safetensors
# another schedule is the same one as far as it goes, too
quiet ctrain "${steady[@]}" -n 10 --schedule=piecewise:0=1,9=1,10=0 -o run --resume -q
# the usual schedule ends with the steps
quiet ctrain "${five[@]}" -o bent
refuses 'linear:warmup=1% of 5 steps then, linear:warmup=1% of 9 now' 'rate for step 2' \
    'total= in the schedule' -- ctrain "${five[@]}" -n 9 -o bent --resume
quiet ctrain "${five[@]}" -n 9 --schedule=linear:warmup=1%,total=5,final=0 -o bent --resume -q
# from initial weights, any
quiet ctrain "${five[@]}" -n 0 -o first -q
[[ $(ls first/checkpoint-00000000) == $(ls run/checkpoint-00000010) ]]
quiet ctrain "${five[@]}" -o first --resume -q
quiet ctrain "${five[@]}" -o same
cmp first/checkpoint-00000005/model.safetensors same/checkpoint-00000005/model.safetensors
quiet ctrain "${five[@]}" --force -o first
[[ ! -e first/checkpoint-00000000 ]]
refuses 'says where' -- ctrain --data=s.tslrec -n 0
