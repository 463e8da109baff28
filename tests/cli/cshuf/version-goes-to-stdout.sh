. "$TESTS/cli/cshuf/check.bash"
quiet cshuf --version >out
head -n 1 out | grep -q '^cshuf .*[0-9]'
