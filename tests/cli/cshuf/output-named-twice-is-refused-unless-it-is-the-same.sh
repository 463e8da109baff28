. "$TESTS/cli/cshuf/check.bash"
refuses 'multiple output files' -- cshuf -i 0-9 -o A -o B
[[ ! -e A && ! -e B ]]
quiet cshuf -i 0-9 -o A -o A
seq 0 9 | cmp - <(sort A)
