. "$TESTS/cli/cshuf/check.bash"
rows 20 >in
for split in '' a a= =1 a=x a=.5,a=.5 a=.5,,b=.5 a=1.5,b=-.5 a=nan; do
    refuses split -- cshuf --split "$split" -o '%s' in
done
[[ $(ls) == in ]]
