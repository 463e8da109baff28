. "$TESTS/cli/cshuf/check.bash"
[[ -c /dev/full ]] || { echo "no /dev/full" >&2 && exit 77; }
rows 50 >in
rows 50000 >large
for operands in in large '-m 256K large' '-n 3 in' '-i 1-9' '-e a b' '-o /dev/full large'; do
    cshuf $operands >/dev/full 2>err && rc=0 || rc=$?
    [[ $rc == 1 ]]
    grep -q '^cshuf: ' err
    grep -qi 'no space left' err
done
