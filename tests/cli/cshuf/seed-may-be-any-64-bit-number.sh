. "$TESTS/cli/cshuf/check.bash"
rows 50 >in
cshuf -s 18446744073709551615 in >a
permutes a in
cshuf -s 0 in >b
permutes b in
differ a b
