. "$TESTS/cli/cshuf/check.bash"
quiet cshuf --help >out
head -n 1 out | grep -q '^Usage: cshuf '
for option in ' -e' ' -i' ' -n' ' -o' ' -r' ' -z' ' -m' ' -j' ' -s' ' -T' ' -q' ' -v' --echo \
    --input-range --head-count --output --random-source --repeat --zero-terminated --help \
    --version --rows --header --unique --sample --split --shards --shard-rows --shard-bytes \
    --compress --compress-temp --files0-from --no-verify --with --stats --progress \
    --explain; do
    grep -q -e "$option" out || { echo "$option is not in --help" >&2 && exit 1; }
done
awk 'length > 100 { exit 1 }' out
