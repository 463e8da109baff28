. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -n ' +02' -e a b c >out
[[ $(wc -l <out) == 2 ]]
quiet cshuf --head-count=1 -e a b c >out
[[ $(wc -l <out) == 1 ]]
