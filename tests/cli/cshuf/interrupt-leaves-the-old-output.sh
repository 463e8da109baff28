. "$TESTS/cli/cshuf/check.bash"
rows 30000 >in
echo old >out
mkfifo fifo
mkdir temp
env --default-signal=INT cshuf -m 256K -T temp -o out fifo 2>err &
pid=$!
exec 3>fifo
cat in >&3
sleep 0.3
kill -INT $pid
wait $pid && rc=0 || rc=$?
[[ $rc == 130 && $(<out) == old && -z $(ls -A temp) ]]
