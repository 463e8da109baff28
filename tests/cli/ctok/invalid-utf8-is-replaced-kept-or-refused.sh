. "$TESTS/cli/ctok/check.bash"
gpt2
printf 'good\na\377b\n' >in
printf 'good\na\357\277\275b\n' >replaced
quiet ctok encode -V gpt2 in --stats stats | ctok decode -V gpt2 | cmp - replaced
grep -q '"invalid_parts": 1,' stats
quiet ctok encode -V gpt2 --invalid=bytes in | ctok decode -V gpt2 | cmp - in
quiet ctok encode -V gpt2 --invalid=bytes in | ctok decode -V gpt2 --invalid=replace | cmp - replaced
refuses 'in: line 2' UTF-8 -- ctok encode -V gpt2 --invalid=error in -o out
[[ ! -e out ]]
