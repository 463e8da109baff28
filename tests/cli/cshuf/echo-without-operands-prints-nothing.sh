. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -e >out
[[ ! -s out ]]
quiet cshuf -e -n 3 >out
[[ ! -s out ]]
# nothing is drawn, so nothing is drawn from
quiet cshuf -e --random-source=nope >out
[[ ! -s out ]]
