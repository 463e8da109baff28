. "$TESTS/cli/cshuf/check.bash"
rows 50 >in
for operands in in '-i 1-9' '-e a b' '-n 3 in' '-r -n 3 in'; do
    cshuf $operands >&- 2>err && rc=0 || rc=$?
    [[ $rc == 1 ]]
    grep -q '^cshuf: ' err
done
[[ $(ls) == $'err\nin' ]]
