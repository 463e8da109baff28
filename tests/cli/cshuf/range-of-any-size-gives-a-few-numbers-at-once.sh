. "$TESTS/cli/cshuf/check.bash"
for range in 1-18446744073709551615 0-18446744073709551614 5-9223372036854775812; do
    quiet timeout 20 cshuf -i $range -n 1000 >out
    [[ $(sort -u out | wc -l) == 1000 ]]
    lacks '[^0-9]' out
done
