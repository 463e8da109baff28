. "$TESTS/cli/cshuf/check.bash"
for n in x '' -1 1x; do
    refuses '-j\|threads\|jobs' -- cshuf -j "$n" -e a
done
