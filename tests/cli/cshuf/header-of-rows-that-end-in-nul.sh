. "$TESTS/cli/cshuf/check.bash"
printf 'h\n\0b\0a\0c' >in
quiet cshuf -z --header 1 in >out
[[ $(head -c 3 out | od -An -c | tr -d ' ') == 'h\n\0' ]]
printf 'a\0b\0c\0h\n\0' | cmp - <(sort -z out)
