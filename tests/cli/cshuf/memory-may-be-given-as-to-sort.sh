. "$TESTS/cli/cshuf/check.bash"
rows 20000 >in
cshuf -s 3 -m 1M in >want
quiet cshuf -s 3 -S 1M in >out
cmp out want
refuses '12X' -- cshuf -S 12X in
