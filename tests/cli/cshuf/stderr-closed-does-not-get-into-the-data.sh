. "$TESTS/cli/cshuf/check.bash"
rows 50 >in
cshuf -v -o out in 2>&-
permutes out in
cshuf -v in >out 2>&-
permutes out in
cshuf nope in >out 2>&- && rc=0 || rc=$?
[[ $rc == 1 && ! -s out ]]
