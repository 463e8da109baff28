. "$TESTS/cli/cshuf/check.bash"
{ echo head && rows 1000; } >in
cshuf -s 1 --header 1 in >full
quiet cshuf -s 1 --header 1 --shards 4 -o 'part-%d.txt' in
for part in part-*; do
    [[ $(head -n 1 $part) == head && $(grep -c '^head$' $part) == 1 ]]
done
{ echo head && sed -s 1d part-*; } | cmp - full
