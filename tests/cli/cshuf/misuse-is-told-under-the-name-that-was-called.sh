. "$TESTS/cli/cshuf/check.bash"
ln -s "$(command -v cshuf)" shuf
PATH=$PWD:$PATH
shuf -/ >out 2>err && rc=0 || rc=$?
[[ $rc == 1 && ! -s out ]]
printf "shuf: invalid option -- '/'\nTry 'shuf --help' for more information.\n" | cmp - err
refuses nope -- shuf nope
