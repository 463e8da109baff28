. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -r -n 500 -i 0-18446744073709551614 >out
[[ $(sort -u out | wc -l) == 500 ]]
