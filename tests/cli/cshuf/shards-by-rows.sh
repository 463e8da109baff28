. "$TESTS/cli/cshuf/check.bash"
rows 1050 >in
cshuf -s 2 in >full
for m in 256K 64M; do
    quiet cshuf -s 2 -m $m --shard-rows 100 -o 'part-%02d' in
    [[ $(ls part-* | wc -l) == 11 ]]
    for part in part-0?; do [[ $(wc -l <$part) == 100 ]]; done
    [[ $(wc -l <part-10) == 50 ]]
    cat part-* | cmp - full
    rm part-*
done
