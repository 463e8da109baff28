. "$TESTS/cli/cshuf/check.bash"
refuses '-e' '-i' 'Try .*--help' -- cshuf -i 0-9 -e A B
refuses '-e' '-i' 'Try .*--help' -- cshuf -e -i 0-9
