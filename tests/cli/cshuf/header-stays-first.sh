. "$TESTS/cli/cshuf/check.bash"
{ echo name,text && rows 500; } >in
quiet cshuf -s 1 --header 1 in >out
[[ $(head -n 1 out) == name,text ]]
permutes out in
differ in out
cat in | cshuf -s 1 --header 1 | cmp - out
cshuf -s 1 --header 1 -m 256K -j 3 in | cmp - out
