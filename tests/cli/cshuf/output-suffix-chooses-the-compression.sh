. "$TESTS/cli/cshuf/check.bash"
rows 5000 >in
cshuf -s 2 in >want
quiet cshuf -s 2 -o out.zst in
zstd -q -dc out.zst | cmp - want
quiet cshuf -s 2 -o out.gz in
gzip -dc out.gz | cmp - want
(($(wc -c <out.gz) < $(wc -c <want)))
quiet cshuf -s 2 -o out.txt in
cmp out.txt want
