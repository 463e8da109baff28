. "$TESTS/cli/cshuf/check.bash"
rows 2000 >in
quiet cshuf --split train=.9,test=.1 in >stdout
[[ $(ls) == $'in\nstdout\ntest\ntrain' && ! -s stdout ]]
cat train test >out
permutes out in
