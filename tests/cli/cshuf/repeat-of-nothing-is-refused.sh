. "$TESTS/cli/cshuf/check.bash"
refuses 'no lines to repeat' -- cshuf -r /dev/null
refuses 'no lines to repeat' -- cshuf -er
refuses 'no lines to repeat' -- cshuf -r -i 5-4
refuses 'no lines to repeat' -- cshuf -r -n 3 /dev/null
