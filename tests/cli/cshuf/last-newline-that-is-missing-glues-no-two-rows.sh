. "$TESTS/cli/cshuf/check.bash"
printf 'a\nb' >1
printf 'c\nd' >2
printf 'e' >3
printf '' >4
printf 'f\n' >5
quiet cshuf 1 2 3 4 5 >out
printf '%s\n' a b c d e f | cmp - <(sort out)
cat 2 | cshuf 1 - 3 4 5 | sort | cmp - <(sort out)
cshuf -s 9 1 2 3 4 5 >out
oracle-cshuf -s 9 1 2 3 4 5 | cmp - out
