. "$TESTS/cli/cshuf/check.bash"
printf 'b\nb\0a\0c' >in
quiet cshuf -z in >out
printf 'a\0b\nb\0c\0' | cmp - <(sort -z out)
quiet cshuf --zero-terminated -i 1-1 >out
printf '1\0' | cmp - out
