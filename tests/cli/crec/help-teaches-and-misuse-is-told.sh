. "$TESTS/cli/crec/check.bash"
for c in head at count stat verify diff recover order convert; do
    quiet crec $c --help >out
    grep -q "^Usage: crec $c " out
    grep -q '^Examples:' out
done
quiet crec --help >out
grep -q '^Commands' out
refuses 'which command' -- crec
refuses 'no command is called' -- crec heads
refuses 'which record' -- crec at
