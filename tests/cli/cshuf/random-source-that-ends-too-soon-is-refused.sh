. "$TESTS/cli/cshuf/check.bash"
refuses '/dev/null' 'end of file' -- cshuf --random-source=/dev/null -i 1-9
