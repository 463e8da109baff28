. "$TESTS/cli/cshuf/check.bash"
mkfifo fifo
exec 3<>fifo
cshuf -m 256K <fifo >out 2>err 3>&- &
pid=$!
rows 20000 >in
cat in >&3
sleep 0.5
kill -USR1 $pid
for i in {1..50}; do
    [[ -s err ]] && break
    sleep 0.1
done
exec 3>&-
wait $pid
permutes out in
grep -q '^cshuf: ' err
