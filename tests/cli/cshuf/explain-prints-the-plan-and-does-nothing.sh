. "$TESTS/cli/cshuf/check.bash"
rows 60000 >in
mkdir temp
cshuf --explain -m 256K -T temp -o out in >plan
[[ -s plan ]]
[[ ! -e out && $(ls -A) == $'in\nplan\ntemp' ]]
echo old >out
cshuf --explain -m 1G -o out in >plan
[[ $(<out) == old ]]
