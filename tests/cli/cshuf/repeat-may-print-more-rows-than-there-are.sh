. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -r -i 222-233 -n 2000 >out
[[ $(wc -l <out) == 2000 ]]
seq 222 233 | cmp - <(sort -u out)
printf 'A\nB\nC\nD\nE' | quiet cshuf -r -n 2000 >out
[[ $(wc -l <out) == 2000 ]]
printf '%s\n' A B C D E | cmp - <(sort -u out)
