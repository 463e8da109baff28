. "$TESTS/cli/cshuf/check.bash"
{ echo name,text && rows 40000; } >in
cshuf -s 1 --header 1 -m 64M in >want
for m in 256K 1M; do
    quiet cshuf -s 1 --header 1 -m $m in >out
    cmp out want
done
