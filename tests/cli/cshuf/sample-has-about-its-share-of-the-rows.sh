. "$TESTS/cli/cshuf/check.bash"
rows 20000 >in
quiet cshuf -s 2 --sample .1 in >out
n=$(wc -l <out)
((n > 1800 && n < 2200))
cat in | cshuf -s 2 --sample .1 | cmp - out
