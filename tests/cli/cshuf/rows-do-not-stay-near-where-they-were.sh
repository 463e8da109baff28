. "$TESTS/cli/cshuf/check.bash"
# 10,000 rows: the mean way a row goes is a third of them (3333, give or take 24).
seq 10000 >in
cshuf -s 6 in | awk '{ d = $1 - NR; s += d < 0 ? -d : d } END { m = s / NR; exit !(m > 3200 && m < 3460) }'
