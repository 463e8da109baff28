. "$TESTS/cli/cshuf/check.bash"
rows 5 >in
refuses nope -- cshuf -o out in nope
[[ ! -e out && $(ls -A) == in ]]
echo old >out
refuses nope -- cshuf -o out in nope
[[ $(<out) == old ]]
