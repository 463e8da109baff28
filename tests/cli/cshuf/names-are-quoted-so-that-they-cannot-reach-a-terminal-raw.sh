. "$TESTS/cli/cshuf/check.bash"
name=$'x\e]0;boo\a\ny'
cshuf "$name" 2>err && rc=0 || rc=$?
[[ $rc == 1 && $(wc -l <err) == 1 ]]
lacks '[[:cntrl:]]' err
refuses "'no such'" -- cshuf 'no such'
