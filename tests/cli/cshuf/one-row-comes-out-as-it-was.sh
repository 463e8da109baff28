. "$TESTS/cli/cshuf/check.bash"
printf 'only\n' | quiet cshuf | cmp - <(echo only)
