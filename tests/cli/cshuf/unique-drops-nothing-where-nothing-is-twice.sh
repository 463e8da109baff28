. "$TESTS/cli/cshuf/check.bash"
rows 5000 >in
quiet cshuf --unique in >out
permutes out in
