. "$TESTS/cli/cshuf/check.bash"
rows 20 >in
rows 3 >-n1
POSIXLY_CORRECT=1 cshuf in -n1 >out
permutes out in ./-n1
