. "$TESTS/cli/cshuf/check.bash"
rows 100 >text
seq 99 >fewer
seq 101 >more
refuses fewer text 99 -- cshuf --with fewer=fewer.out -o out text
refuses more text 100 -- cshuf --with more=more.out -o out text
[[ $(ls -A) == $'fewer\nmore\ntext' ]]
