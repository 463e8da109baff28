. "$TESTS/cli/ctok/check.bash"
echo the >in
refuses nothing-here -- ctok encode -V nothing-here in -o out
: >empty.txt
refuses empty.txt -- ctok encode -V empty.txt in -o out
head -c 3000 /dev/zero >zeros.model
refuses zeros.model -- ctok encode -V zeros.model in -o out
mkdir folder
refuses folder -- ctok encode -V folder in -o out
printf '{"model":{"type":"Nope"}}' >tokenizer.json
refuses tokenizer.json -- ctok encode -V tokenizer.json in -o out
[[ ! -e out ]]
