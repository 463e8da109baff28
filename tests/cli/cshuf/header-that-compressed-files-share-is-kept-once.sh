. "$TESTS/cli/cshuf/check.bash"
for n in 1 2 3; do { echo head && rows 100 | sed "s/^/$n /"; } >$n; done
sed -s 1d 1 2 3 | sort >want
zstd -q --rm 2
gzip 3
quiet cshuf --header 1 1 2.zst 3.gz >out
[[ $(head -n 1 out) == head && $(grep -c '^head$' out) == 1 ]]
sed 1d out | sort | cmp - want
