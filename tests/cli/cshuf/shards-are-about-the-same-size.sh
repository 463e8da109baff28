. "$TESTS/cli/cshuf/check.bash"
rows 10000 >in
quiet cshuf -s 2 --shards 10 -o 'part-%d.txt' in
for part in part-*; do
    n=$(wc -l <$part)
    ((n > 850 && n < 1150))
done
