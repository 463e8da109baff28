. "$TESTS/cli/cshuf/check.bash"
refuses 'multiple' '-i' -- cshuf -i 0-9 -n 10 -i 8-90
refuses 'multiple' '-i' -- cshuf -i 1-2 -i 1-2
