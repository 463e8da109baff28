. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -e a -e b >out
printf 'a\nb\n' | cmp - <(sort out)
