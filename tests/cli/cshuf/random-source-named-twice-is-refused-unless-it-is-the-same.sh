. "$TESTS/cli/cshuf/check.bash"
rows 100 >A
refuses 'multiple random sources' -- cshuf -i 0-9 --random-source A --random-source B
quiet cshuf -i 0-9 --random-source A --random-source A >out
seq 0 9 | cmp - <(sort out)
