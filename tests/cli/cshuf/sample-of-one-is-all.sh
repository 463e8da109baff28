. "$TESTS/cli/cshuf/check.bash"
rows 500 >in
cshuf -s 2 in >full
quiet cshuf -s 2 --sample 1 in >out
cmp out full
