. "$TESTS/cli/cshuf/check.bash"
mkdir folder
refuses 'Is a directory' folder -- cshuf folder
refuses 'Is a directory' folder -- cshuf -n 1 folder
refuses 'Is a directory' folder -- cshuf -r folder
cshuf <folder >out 2>err && rc=0 || rc=$?
[[ $rc == 1 && ! -s out ]]
grep -q 'Is a directory' err
