. "$TESTS/cli/ctrain/check.bash"
small
ctrain "${five[@]}" -n 1000000 -o run -q 2>/dev/null &
pid=$!
trap 'kill -9 $pid' EXIT
until [[ -e run/metrics.jsonl ]]; do sleep .02; done
refuses 'run: another process trains there' -- ctrain "${five[@]}" -o run --resume
refuses 'run: another process trains there' -- ctrain "${five[@]}" -o run --force
quiet ctrain "${five[@]}" -o run --force --explain >/dev/null
# however it ended
kill -9 $pid
wait $pid || true
trap - EXIT
quiet ctrain "${five[@]}" -o run --force -q
