. "$TESTS/cli/cshuf/check.bash"
printf 'a\nb' >in
quiet cshuf in >out
printf 'a\nb\n' | cmp - <(sort out)
printf x | quiet cshuf >out
printf 'x\n' | cmp - out
