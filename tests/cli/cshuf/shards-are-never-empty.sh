. "$TESTS/cli/cshuf/check.bash"
rows 3 >in
quiet cshuf --shards 10 -o 'part-%d' in
cat part-* >out
permutes out in
[[ $(ls part-* | wc -l) == 3 ]]
for part in part-*; do [[ -s $part ]]; done
