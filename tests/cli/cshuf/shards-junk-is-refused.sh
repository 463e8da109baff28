. "$TESTS/cli/cshuf/check.bash"
rows 20 >in
for n in 0 x '' -1 1.5; do
    refuses shards -- cshuf --shards "$n" -o 'p%d' in
    refuses shard-rows -- cshuf --shard-rows "$n" -o 'p%d' in
done
refuses shard-bytes -- cshuf --shard-bytes x -o 'p%d' in
refuses shard -- cshuf --shards 3 --shard-rows 3 -o 'p%d' in
[[ $(ls) == in ]]
