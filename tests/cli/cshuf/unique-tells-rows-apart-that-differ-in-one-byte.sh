. "$TESTS/cli/cshuf/check.bash"
printf 'a\na \n a\na\0\na\r\nA\n\n' >in
quiet cshuf --unique in >out
sort in | cmp - <(sort out)
