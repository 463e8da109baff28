. "$TESTS/cli/cshuf/check.bash"
refuses 'invalid line count' -- cshuf -nA -i 1-2 -i 1-2
refuses 'multiple' -- cshuf -i 1-2 -i 1-2 -nA
