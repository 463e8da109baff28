. "$TESTS/cli/cshuf/check.bash"
rows 90 >in
split -n l/3 in 'part '
mv 'part ac' $'part\nac'
cshuf -s 2 'part aa' 'part ab' $'part\nac' >want
printf '%s\0' 'part aa' 'part ab' $'part\nac' >list
quiet cshuf -s 2 --files0-from list >out
cmp out want
permutes out in
cat list | cshuf -s 2 --files0-from - | cmp - want
# the last NUL may be missing
head -c -1 list >list2
cshuf -s 2 --files0-from=list2 | cmp - want
