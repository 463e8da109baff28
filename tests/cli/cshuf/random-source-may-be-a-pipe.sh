. "$TESTS/cli/cshuf/check.bash"
rows 3000 >source
rows 500 >in
cshuf --random-source=source in >want
cshuf --random-source=<(cat source) in | cmp - want
cshuf --random-source=<(cat /dev/zero) -n 3 in >out
[[ $(wc -l <out) == 3 ]]
