. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -e d a '' 'b c' >out
printf '%s\n' '' a 'b c' d | cmp - <(sort out)
quiet cshuf -e -- -x - >out
printf '%s\n' - -x | cmp - <(sort out)
