. "$TESTS/cli/cshuf/check.bash"
rows 10000 >in
cshuf -s 2 in >full
for m in 256K 64M; do
    quiet cshuf -s 2 -m $m --shards 7 -o 'part-%05d.txt' in
    [[ $(ls part-* | wc -l) == 7 ]]
    cat part-* | cmp - full
    rm part-*
done
