. "$TESTS/cli/cshuf/check.bash"
rows 5000 >in
cp in copy
quiet cshuf -s 2 -o in in
permutes in copy
differ in copy
cshuf -s 2 copy | cmp - in
quiet cshuf -m 256K -o copy copy in
[[ $(wc -l <copy) == 10000 ]]
[[ $(ls -A) == $'copy\nin' ]]
