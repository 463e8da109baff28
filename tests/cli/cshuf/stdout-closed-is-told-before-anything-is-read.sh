. "$TESTS/cli/cshuf/check.bash"
mkfifo in
exec 3<>in # nothing ever comes out of it
for option in -s1 -r; do
    timeout 20 cshuf $option in >&- 2>err && rc=0 || rc=$?
    [[ $rc == 1 ]]
    grep -q '^cshuf: standard output: cannot write: Bad file descriptor$' err
done
