. "$TESTS/cli/cshuf/check.bash"
cshuf -s 5 -i 1-5000 >full
for n in 1 2 50 4999 5000 6000; do
    quiet cshuf -s 5 -i 1-5000 -n $n >out
    head -n $n full | cmp - out
done
