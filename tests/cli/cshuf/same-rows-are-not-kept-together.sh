. "$TESTS/cli/cshuf/check.bash"
# 4,000 a and 4,000 b: about 4,000 runs (give or take 45).
seq 8000 | sed '1,4000s/.*/a/; 4001,$s/.*/b/' >in
runs=$(cshuf -s 2 in | uniq | wc -l)
((runs > 3700 && runs < 4300))
