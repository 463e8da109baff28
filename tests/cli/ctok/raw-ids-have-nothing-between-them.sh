. "$TESTS/cli/ctok/check.bash"
tiny
printf 'the fox\n\nhe\n' >in
quiet ctok encode -V vocab.txt --output=u16 in >u16
printf '\5\0\10\0\27\0' | cmp - u16
quiet ctok encode -V vocab.txt --output=u32 in >u32
printf '\5\0\0\0\10\0\0\0\27\0\0\0' | cmp - u32
