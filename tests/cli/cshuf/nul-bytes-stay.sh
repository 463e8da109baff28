. "$TESTS/cli/cshuf/check.bash"
printf 'a\0b\n\0\n\0\0c\n' >in
quiet cshuf in >out
sort in | cmp - <(sort out)
