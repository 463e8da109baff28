. "$TESTS/cli/cshuf/check.bash"
printf 'a\r\nb\r\n\r\nc' >in
quiet cshuf in >out
printf '\r\na\r\nb\r\nc\n' | cmp - <(sort out)
