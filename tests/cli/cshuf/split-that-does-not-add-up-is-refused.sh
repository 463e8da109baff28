. "$TESTS/cli/cshuf/check.bash"
rows 20 >in
for split in a=.5,b=.4 a=.5,b=.6 a=1,b=1 a=0.98,b=0.01; do
    refuses split -- cshuf --split $split -o '%s' in
done
[[ $(ls) == in ]]
