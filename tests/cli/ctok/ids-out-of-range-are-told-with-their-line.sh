. "$TESTS/cli/ctok/check.bash"
tiny
printf '5 8\n\n5 25\n' >ids
refuses 'ids: line 3: ' 25 -- ctok decode -V vocab.txt ids -o out
[[ ! -e out ]]
printf '5 8\n5 -1\n' >ids
refuses 'ids: line 2, column 3: -1 is no id' -- ctok decode -V vocab.txt ids
printf '5 99999999999999999999\n' >ids
refuses 'ids: line 1, column 3: 99999999999999999999 is no id' -- ctok decode -V vocab.txt ids
printf '{"ids":[5,"x"]}\n' >ids
refuses 'ids: line 1: the field ids is no array of ids' -- ctok decode -V vocab.txt --input=jsonl ids
printf '\5\0\6' >ids
refuses 'ids: ends inside an id of 2 bytes' -- ctok decode -V vocab.txt --input=u16 ids
