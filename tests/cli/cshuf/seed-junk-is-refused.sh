. "$TESTS/cli/cshuf/check.bash"
for seed in x '' 1x 18446744073709551616; do
    refuses seed -- cshuf -s "$seed" -e a
done
