. "$TESTS/cli/cshuf/check.bash"
refuses progress 'auto' -- cshuf --progress x -e a
