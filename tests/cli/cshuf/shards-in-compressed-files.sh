. "$TESTS/cli/cshuf/check.bash"
rows 5000 >in
cshuf -s 2 in >full
quiet cshuf -s 2 --shards 5 -o 'part-%05d.txt.zst' in
[[ $(ls *.zst | wc -l) == 5 ]]
zstd -q -t part-*.zst
zstd -q -dc part-*.zst | cmp - full
quiet cshuf -s 2 --shard-rows 1000 -o 'part-%05d.txt.gz' in
[[ $(ls *.gz | wc -l) == 5 ]]
gzip -dc part-*.gz | cmp - full
