. "$TESTS/cli/cshuf/check.bash"
echo old >out
quiet cshuf -n 0 -o out no-such-file
[[ -e out && ! -s out ]]
