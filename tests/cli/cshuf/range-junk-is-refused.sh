. "$TESTS/cli/cshuf/check.bash"
for range in 1 A 1- 1-A -1-3 -3 - '' 1--3 '1 -3' '1-3 ' 0x1-0x5 1-2k 1.5-3 \
    1-18446744073709551616 18446744073709551616-18446744073709551617 \
    1-99999999999999999999999999; do
    refuses 'invalid input range' -- cshuf -i "$range"
done
