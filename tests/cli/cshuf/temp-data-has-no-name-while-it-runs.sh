. "$TESTS/cli/cshuf/check.bash"
rows 60000 >in
mkdir temp
mkfifo fifo
cshuf -m 256K -T temp fifo >out &
pid=$!
exec 3>fifo
cat in >&3
sleep 0.5
ls -A temp >while
exec 3>&-
wait $pid
permutes out in
[[ ! -s while ]]
