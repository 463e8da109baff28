. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -z -e $'a\nb' c >out
printf 'a\nb\0c\0' | cmp - <(sort -z out)
