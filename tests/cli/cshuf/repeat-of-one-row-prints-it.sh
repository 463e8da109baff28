. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -r -n 3 -e x >out
printf 'x\nx\nx\n' | cmp - out
