. "$TESTS/cli/cshuf/check.bash"
quiet cshuf --shards 3 -o 'part-%d' /dev/null
for part in part-*; do [[ ! -e $part ]]; done
