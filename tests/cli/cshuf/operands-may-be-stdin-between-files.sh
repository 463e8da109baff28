. "$TESTS/cli/cshuf/check.bash"
printf 'a\n' >1
printf 'c\n' >3
printf 'b\n' | quiet cshuf 1 - 3 >out
printf 'a\nb\nc\n' | cmp - <(sort out)
cshuf -s 4 1 - 3 <<<b >out
printf 'a\nb\nc\n' | cshuf -s 4 | cmp - out
