. "$TESTS/cli/cshuf/check.bash"
rows 30000 >in
mkdir temp results
for signal in TERM HUP; do
    mkfifo fifo
    env --default-signal=$signal cshuf -m 256K -T temp -o results/out fifo 2>err &
    pid=$!
    exec 3>fifo
    cat in >&3
    sleep 0.3
    kill -$signal $pid
    wait $pid && rc=0 || rc=$?
    exec 3>&-
    rm fifo
    [[ $rc == $((128 + $(kill -l $signal))) ]]
    [[ -z $(ls -A temp) && -z $(ls -A results) ]]
done
