. "$TESTS/cli/cshuf/check.bash"
rows 20000 >in
cshuf -s 8 in >full
for n in 1 2 1023 1024 1025 19999 20000; do
    for m in 256K 64M; do
        quiet cshuf -s 8 -m $m -n $n in >out
        head -n $n full | cmp - out
    done
done
