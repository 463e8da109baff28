. "$TESTS/cli/cshuf/check.bash"
for seed in {1..60}; do
    cshuf -s $seed -e a b c | tr -d '\n'
    echo
done | sort -u >out
printf '%s\n' abc acb bac bca cab cba | cmp - out
