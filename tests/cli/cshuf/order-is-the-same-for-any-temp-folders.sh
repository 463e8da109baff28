. "$TESTS/cli/cshuf/check.bash"
rows 60000 >in
mkdir t1 t2 t3
oracle-cshuf -s 3 in >want
quiet cshuf -s 3 -m 256K -T t1 in >out
cmp out want
quiet cshuf -s 3 -m 256K -T t1 -T t2 -T t3 in >out
cmp out want
TMPDIR=t3 quiet cshuf -s 3 -m 256K in >out
cmp out want
[[ -z $(ls -A t1 t2 t3 | grep -v ':$') ]]
