. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -i 18446744073709551613-18446744073709551615 >out
printf '1844674407370955161%d\n' 3 4 5 | cmp - <(sort out)
quiet cshuf -i 9223372036854775807-9223372036854775809 >out
printf '922337203685477580%d\n' 7 8 9 | cmp - <(sort out)
