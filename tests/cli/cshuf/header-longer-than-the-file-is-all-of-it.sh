. "$TESTS/cli/cshuf/check.bash"
printf 'a\nb' >in
quiet cshuf --header 5 in >out
printf 'a\nb\n' | cmp - out
quiet cshuf --header 2 in >out
printf 'a\nb\n' | cmp - out
quiet cshuf --header 1 /dev/null >out
[[ ! -s out ]]
