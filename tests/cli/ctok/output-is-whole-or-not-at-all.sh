. "$TESTS/cli/ctok/check.bash"
tiny
texts 1000 >in
echo old >out
{ cat in && printf '\200\n'; } >bad
refuses 'bad: line 1001' -- ctok encode -V vocab.txt --invalid=error -o out in bad
[[ $(cat out) == old ]]
refuses nothing-here -- ctok encode -V vocab.txt -o out nothing-here
[[ $(cat out) == old && $(ls) == $'bad\nin\nout\nvocab.txt' ]]
quiet ctok encode -V vocab.txt -o out in
ctok encode -V vocab.txt in | cmp - out
