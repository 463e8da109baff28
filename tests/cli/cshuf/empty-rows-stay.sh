. "$TESTS/cli/cshuf/check.bash"
printf '\n\n\na\n\n' >in
quiet cshuf in >out
printf '\n\n\n\na\n' | cmp - <(sort out)
seq 5000 | tr -d 0-9 >in
quiet cshuf in >out
cmp in out
