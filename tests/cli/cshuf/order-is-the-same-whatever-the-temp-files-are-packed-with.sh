. "$TESTS/cli/cshuf/check.bash"
rows 60000 >in
oracle-cshuf -s 3 in >want
for codec in auto none zstd zstd:1; do
    quiet cshuf -s 3 -m 256K --compress-temp $codec in >out
    cmp out want
done
