. "$TESTS/cli/cshuf/check.bash"
[[ -r /proc/filesystems ]] || { echo "no /proc" >&2 && exit 77; }
quiet cshuf /proc/filesystems >out
permutes out /proc/filesystems
