. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -i ' 1- 3' >out
seq 3 | cmp - <(sort out)
quiet cshuf -i +1-+3 >out
seq 3 | cmp - <(sort out)
quiet cshuf -i 08-010 >out
seq 8 10 | cmp - <(sort -n out)
