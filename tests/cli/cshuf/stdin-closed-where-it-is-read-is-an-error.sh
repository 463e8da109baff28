. "$TESTS/cli/cshuf/check.bash"
cshuf <&- >out 2>err && rc=0 || rc=$?
[[ $rc == 1 && ! -s out && -s err ]]
grep -q '^cshuf: ' err
cshuf -n 1 - <&- >out 2>err && rc=0 || rc=$?
[[ $rc == 1 && ! -s out && -s err ]]
