. "$TESTS/cli/ctok/check.bash"
tiny
good='{"text":"the"}'
printf '%s\n' "$good" "$good" >a
try() {
    printf '%s\n' "$good" "$1" "$good" >b
    refuses "b: line 2$2" -- ctok encode -V vocab.txt --input=jsonl a b -o out
    [[ ! -e out ]]
}
try '{"text":"x"' ', column 12: the line ends inside an object'
try '' ', column 1: the line is empty'
try '{"text":"\ud800"}' ', column 10: '
try '{"txt":"x"}' ': there is no field text; --json-field names another'
try '{"text":["x"]}' ': the field text is no string'
# the first bad line is the one that is told, whatever the threads
{ texts 30000 | jsonl && echo x && texts 30000 | jsonl && echo y; } >c
for j in 1 2 5; do
    refuses 'c: line 30001, column 1' -- ctok encode -V vocab.txt --input=jsonl -j $j a c -o out
done
