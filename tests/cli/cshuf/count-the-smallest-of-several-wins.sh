. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -n 10 -i 0-9 -n 3 -n 20 >out
[[ $(wc -l <out) == 3 ]]
quiet cshuf -n 2 -n 99999999999999999999 -i 1-9 >out
[[ $(wc -l <out) == 2 ]]
