. "$TESTS/cli/cshuf/check.bash"
rows 5000 >in
cshuf -s 2 in >want
quiet cshuf -s 2 --compress none -o out.zst in
cmp out.zst want
quiet cshuf -s 2 --compress zstd -o out.txt in
zstd -q -dc <out.txt | cmp - want
quiet cshuf -s 2 --compress zstd:19 in | zstd -q -dc | cmp - want
quiet cshuf -s 2 --compress gzip in | gzip -dc | cmp - want
