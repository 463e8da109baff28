. "$TESTS/cli/cshuf/check.bash"
cshuf -n 5 -i 1-1000000000 >a
cshuf -n 5 -i 1-1000000000 >b
differ a b
rows 2000 >in
cshuf in >a
cshuf -s random in >b
differ a b
permutes b in
