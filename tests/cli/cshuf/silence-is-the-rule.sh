. "$TESTS/cli/cshuf/check.bash"
rows 50000 >in
quiet cshuf in >out
quiet cshuf -m 256K in >out
quiet cshuf -q -m 256K in >out
quiet cshuf --progress auto -m 256K in >out
quiet cshuf --progress never -m 256K in >out
