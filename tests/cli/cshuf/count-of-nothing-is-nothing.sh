. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -n 5 /dev/null >out
[[ ! -s out ]]
