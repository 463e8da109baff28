. "$TESTS/cli/cshuf/check.bash"
rows 5000 >in
cshuf -s 2 --unique in >a
cshuf -s 2 --unique in >b
cshuf -s 3 --unique in >c
cmp a b
differ a c
