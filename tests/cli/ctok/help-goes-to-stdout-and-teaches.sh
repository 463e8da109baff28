. "$TESTS/cli/ctok/check.bash"
quiet ctok --help >out
head -n 1 out | grep -q '^Usage: ctok COMMAND '
for command in encode decode inspect train count; do
    grep -q "^  $command " out
    quiet ctok $command --help >one
    head -n 1 one | grep -q "^Usage: ctok $command "
    [[ $(grep -c "^  ctok $command\|^  ctok .*| ctok $command" one) -ge 2 ]]
    awk 'length > 100 { exit 1 }' one
done
[[ $(sed -n '/^Examples:/,$p' out | grep -c '^  ctok ') -ge 2 ]]
quiet ctok --version | head -n 1 | grep -q '^ctok (teasel) '
