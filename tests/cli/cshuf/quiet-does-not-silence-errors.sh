. "$TESTS/cli/cshuf/check.bash"
refuses nope -- cshuf -q nope
