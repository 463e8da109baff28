. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -i 1-1000 >out
seq 1000 | cmp - <(sort -n out)
quiet cshuf --input-range=998-1003 -z >out
seq 998 1003 | tr '\n' '\0' | cmp - <(sort -z -n out)
quiet cshuf -i 7-7 >out
echo 7 | cmp - out
