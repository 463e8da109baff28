. "$TESTS/cli/cshuf/check.bash"
printf 'x\n' >-
quiet cshuf ./- </dev/null >out
echo x | cmp - out
