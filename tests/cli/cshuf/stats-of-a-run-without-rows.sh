. "$TESTS/cli/cshuf/check.bash"
quiet cshuf --stats stats /dev/null >out
[[ -s stats ]]
quiet cshuf --stats=stats2 -i 1-10 >out
[[ -s stats2 ]]
quiet cshuf --stats stats3 -e a b >out
[[ -s stats3 ]]
