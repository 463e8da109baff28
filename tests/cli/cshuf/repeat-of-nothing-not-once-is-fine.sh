. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -r -n 0 /dev/null >out
quiet cshuf -e -r -n 0 >>out
quiet cshuf -r -n 0 -i 5-4 >>out
quiet cshuf -r -n 0 -i 0-9 >>out
[[ ! -s out ]]
