. "$TESTS/cli/cshuf/check.bash"
rows 30000 >in
quiet cshuf -m 256K -o out in
[[ $(ls -A) == $'in\nout' ]]
quiet cshuf -m 256K in >out2
[[ $(ls -A) == $'in\nout\nout2' ]]
