. "$TESTS/cli/cshuf/check.bash"
refuses 'invalid input range' '0-18446744073709551615' -- cshuf -n 1 -i 0-18446744073709551615
