. "$TESTS/cli/cshuf/check.bash"
for n in A -1 '' 1k 0x2 1.5 '1 ' 99999999999999999999999x; do
    refuses 'invalid line count' -- cshuf -n "$n" -e a
done
refuses "'1k'" -- cshuf -n 1k -e a
