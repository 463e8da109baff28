. "$TESTS/cli/cshuf/check.bash"
rows 60000 >in
cshuf -s 2 in >full
(ulimit -n 64 && quiet cshuf -s 2 -m 256K --shards 200 -o 'part-%03d' in)
[[ $(ls part-* | wc -l) == 200 ]]
cat part-* | cmp - full
