. "$TESTS/cli/cshuf/check.bash"
{ rows 1000 && head -c 5000000 /dev/zero | tr '\0' y; } >in
cat in | quiet cshuf -s 1 -m 1M >out
{ cat in && echo; } | sort | cmp - <(sort out)
