. "$TESTS/cli/cshuf/check.bash"
rows 20 >in
for how in '--shards 3' '--shard-rows 5' '--shard-bytes 1K'; do
    refuses '-o' -- cshuf $how in
done
[[ $(ls) == in ]]
