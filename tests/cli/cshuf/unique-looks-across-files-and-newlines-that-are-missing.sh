. "$TESTS/cli/cshuf/check.bash"
printf 'a\nb' >1
printf 'b\na' >2
printf 'a\n' | zstd -q >3
quiet cshuf --unique 1 2 3 >out
printf 'a\nb\n' | cmp - <(sort out)
