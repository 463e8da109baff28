. "$TESTS/cli/cshuf/check.bash"
need_nobody
rows 5 >in
chmod 0 in
"${nobody[@]}" cshuf -n 1 in >out 2>err && rc=0 || rc=$?
[[ $rc == 1 && ! -s out ]]
grep -q '^cshuf: in: .*Permission denied' err
"${nobody[@]}" cshuf -n 0 in >out
[[ ! -s out ]]
