. "$TESTS/cli/cshuf/check.bash"
rows 3000 >source
rows 500 >in
rows 3001 | tail -n 3000 >other
quiet cshuf --random-source=source in >a
quiet cshuf --random-source=source in >b
cmp a b
permutes a in
cshuf --random-source=other in >c
differ a c
cshuf --random-source=source -m 256K -j 1 in | cmp - a
