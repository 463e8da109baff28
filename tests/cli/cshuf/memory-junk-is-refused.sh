. "$TESTS/cli/cshuf/check.bash"
for size in 12X x '' -5 1.5.2M 99999999999999999999G; do
    refuses '-m\|memory\|size' -- cshuf -m "$size" -e a
done
