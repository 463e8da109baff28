. "$TESTS/cli/cshuf/check.bash"
printf 'a\nb' | zstd -q >1
printf 'c\nd' | gzip >2
printf 'e' >3
printf 'f' | zstd -q >4
quiet cshuf 1 2 3 4 >out
printf '%s\n' a b c d e f | cmp - <(sort out)
