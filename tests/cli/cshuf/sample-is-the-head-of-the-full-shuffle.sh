. "$TESTS/cli/cshuf/check.bash"
rows 20000 >in
cshuf -s 2 in >full
for p in .001 0.1 .5 .999; do
    for m in 256K 64M; do
        quiet cshuf -s 2 --sample $p -m $m in >out
        head -n "$(wc -l <out)" full | cmp - out
    done
done
