. "$TESTS/cli/cshuf/check.bash"
printf 'b\0a\n\0c' >in
quiet cshuf --rows nul in >out
printf 'a\n\0b\0c\0' | cmp - <(sort -z out)
rows 100 >in
cshuf -s 1 --rows line in >a
cshuf -s 1 in | cmp - a
refuses 'bogus' 'line' 'para' -- cshuf --rows bogus in
