. "$TESTS/cli/cshuf/check.bash"
quiet cshuf --e a >out
echo a | cmp - out
quiet cshuf --ec a >out
echo a | cmp - out
quiet cshuf --i 7-7 >out
echo 7 | cmp - out
quiet cshuf --input=7-7 >out
echo 7 | cmp - out
for head in hea head head- head-c; do
    quiet cshuf --$head=2 -i 1-9 >out
    [[ $(wc -l <out) == 2 ]]
done
quiet cshuf --o=out7 -i 7-7
echo 7 | cmp - out7
quiet cshuf --out out8 -i 8-8
echo 8 | cmp - out8
quiet cshuf --ra=/dev/zero -i 7-7 >out
echo 7 | cmp - out
quiet cshuf --rand=/dev/zero -i 7-7 >out
echo 7 | cmp - out
quiet cshuf --re -n 2 -i 7-7 >out
printf '7\n7\n' | cmp - out
quiet cshuf --rep -n 2 -i 7-7 >out
printf '7\n7\n' | cmp - out
quiet cshuf --z -i 7-7 >out
printf '7\0' | cmp - out
cshuf --vers >out
cshuf --version | cmp - out
cshuf --hel >out
cshuf --help | cmp - out
