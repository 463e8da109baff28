. "$TESTS/cli/cshuf/check.bash"
# 1000 draws from a range that is wide, by quarters of it: 250 each, give or take.
cshuf -s 3 -i 0-3999999999999999999 -n 1000 >out
awk '{ n[int($1 / 1e18)]++ } END { for (q = 0; q < 4; q++) if (n[q] < 190 || n[q] > 310) exit 1 }' out
