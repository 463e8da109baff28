. "$TESTS/cli/cshuf/check.bash"
rows 50 >in
for seed in 1 2 3 4 5; do
    quiet cshuf -s $seed --shards 40 -o 'part-%02d' in
    for part in part-*; do [[ -s $part ]]; done
    cat part-* >out
    permutes out in
    rm part-*
done
