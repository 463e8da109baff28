. "$TESTS/cli/cshuf/check.bash"
rows 10000 >in
cshuf -s 2 in >full
quiet cshuf -s 2 --shard-bytes 64K -o 'part-%03d' in
cat part-* | cmp - full
for part in part-*; do (($(wc -c <$part) <= 65536)); done
(($(ls part-* | wc -l) <= $(wc -c <in) / 64000 + 1))
