. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -i 5-4 >out
[[ ! -s out ]]
quiet cshuf -i 1-0 -n 4 >out
[[ ! -s out ]]
refuses 'invalid input range' '5-3' -- cshuf -i 5-3
