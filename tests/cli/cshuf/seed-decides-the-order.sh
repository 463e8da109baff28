. "$TESTS/cli/cshuf/check.bash"
rows 2000 >in
cshuf -s 1 in >a
cshuf -s 1 in >b
cshuf -s 2 in >c
cmp a b
differ a c
permutes a in
permutes c in
differ a in
