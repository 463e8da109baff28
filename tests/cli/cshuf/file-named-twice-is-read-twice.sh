. "$TESTS/cli/cshuf/check.bash"
rows 100 >in
quiet cshuf in in >out
permutes out in in
