. "$TESTS/cli/cshuf/check.bash"
[[ -c /dev/full ]] || { echo "no /dev/full" >&2 && exit 77; }
for option in --help --version; do
    cshuf $option >/dev/full 2>err && rc=0 || rc=$?
    [[ $rc == 1 ]]
    grep -qi 'no space left\|write error' err
    cshuf $option >&- 2>err && rc=0 || rc=$?
    [[ $rc == 1 ]]
    { env --default-signal=PIPE cshuf $option 2>err || true; } | true
    [[ ! -s err ]]
done
