. "$TESTS/cli/crec/check.bash"
stream a.tok 300
stream b.tok 300 --compress=zstd
exits 0 crec diff a.tok b.tok
cshard -q -f mds -o mds a.tok
exits 0 crec diff a.tok mds
[[ ! -s out ]]
docs 300 | sed '100s/.*/the quick fox/' |
    ctok encode -V vocab.txt --output=stream -o c.tok
exits 1 crec diff a.tok c.tok
grep -q 'record 99: column ids: ' out
exits 1 crec diff -q a.tok c.tok
[[ ! -s out ]]
stream d.tok 299
exits 1 crec diff a.tok d.tok
grep -qx 'only the first has record 299' out
exits 2 crec diff a.tok nothing.there
