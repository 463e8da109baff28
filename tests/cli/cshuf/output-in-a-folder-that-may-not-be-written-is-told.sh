. "$TESTS/cli/cshuf/check.bash"
need_nobody
rows 5 >in
mkdir -m 555 shut
"${nobody[@]}" cshuf -o shut/out in 2>err && rc=0 || rc=$?
[[ $rc == 1 && -z $(ls -A shut) ]]
grep -q '^cshuf: .*shut/out.*Permission denied' err
