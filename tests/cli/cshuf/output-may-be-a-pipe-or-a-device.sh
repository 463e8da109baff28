. "$TESTS/cli/cshuf/check.bash"
rows 500 >in
mkfifo fifo
cat fifo >out &
quiet cshuf -o fifo in
wait $!
permutes out in
[[ -p fifo ]]
quiet cshuf -o /dev/null in
[[ -c /dev/null ]]
quiet cshuf -o /dev/stdout in | cat >out
permutes out in
