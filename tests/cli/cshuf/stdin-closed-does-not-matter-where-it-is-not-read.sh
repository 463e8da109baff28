. "$TESTS/cli/cshuf/check.bash"
rows 50 >in
quiet cshuf in <&- >out
permutes out in
quiet cshuf -i 1-3 <&- >out
seq 3 | cmp - <(sort out)
quiet cshuf -e a <&- >out
echo a | cmp - out
quiet cshuf /dev/null <&- >out
[[ ! -s out ]]
quiet cshuf -o out in <&-
permutes out in
