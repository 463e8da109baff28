. "$TESTS/cli/cshuf/check.bash"
rows 900 >in
split -n l/3 in part.
for part in part.*; do zstd -q -c $part; done >in.zst
for part in part.*; do gzip -c $part; done >in.gz
quiet cshuf in.zst >out
permutes out in
quiet cshuf in.gz >out
permutes out in
