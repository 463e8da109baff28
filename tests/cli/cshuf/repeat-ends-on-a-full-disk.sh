. "$TESTS/cli/cshuf/check.bash"
[[ -c /dev/full ]] || { echo "no /dev/full" >&2 && exit 77; }
timeout 20 cshuf -r -i 1-3 >/dev/full 2>err && rc=0 || rc=$?
[[ $rc == 1 ]]
grep -qi 'no space left' err
