. "$TESTS/cli/cshuf/check.bash"
rows 60000 >in
split -l 200 in part.
cshuf -s 2 in >full
(ulimit -n 20 && quiet cshuf -s 2 -m 256K part.* >out)
cmp out full
