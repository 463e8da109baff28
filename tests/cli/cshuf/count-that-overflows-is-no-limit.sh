. "$TESTS/cli/cshuf/check.bash"
for n in 18446744073709551615 18446744073709551616 99999999999999999999999; do
    quiet cshuf -n $n -i 1-9 >out
    [[ $(wc -l <out) == 9 ]]
    quiet cshuf -n $n -e a b c >out
    [[ $(wc -l <out) == 3 ]]
done
