. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -e >out
[[ ! -s out ]]
quiet cshuf -e -n 3 >out
[[ ! -s out ]]
