. "$TESTS/cli/cshuf/check.bash"
printf 'a\0b\n' >1
printf 'c' >2
quiet cshuf -z 1 2 >out
printf 'a\0b\n\0c\0' | cmp - <(sort -z out)
