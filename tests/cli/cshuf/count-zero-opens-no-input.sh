. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -n 0 no-such-file >out
[[ ! -s out ]]
quiet cshuf -n 0 --random-source=no-such-file no-such-file >out
[[ ! -s out ]]
quiet cshuf -n 0 -r <&- >out
[[ ! -s out ]]
