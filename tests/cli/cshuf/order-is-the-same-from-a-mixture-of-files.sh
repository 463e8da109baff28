. "$TESTS/cli/cshuf/check.bash"
rows 30000 >in
split -l 5000 in part.
oracle-cshuf -s 3 in >want
zstd -q --rm part.ab
gzip part.ad
zstd -q --rm part.ae
quiet cshuf -s 3 part.aa part.ab.zst part.ac part.ad.gz part.ae.zst part.af >out
cmp out want
quiet cshuf -s 3 -m 256K part.aa part.ab.zst - part.ad.gz part.ae.zst part.af <part.ac >out
cmp out want
