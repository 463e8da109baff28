. "$TESTS/cli/cshuf/check.bash"
{ rows 100 && head -c 100000 /dev/zero | tr '\0' x && echo && rows 100; } >in
cshuf -s 2 in >full
quiet cshuf -s 2 --shard-bytes 1K -o 'part-%03d' in
cat part-* | cmp - full
for part in part-*; do
    [[ -s $part ]]
    (($(wc -c <$part) <= 1024)) || [[ $(wc -l <$part) == 1 ]]
done
