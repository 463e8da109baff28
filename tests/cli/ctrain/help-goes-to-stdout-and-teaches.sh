. "$TESTS/cli/ctrain/check.bash"
quiet ctrain --help >out
head -n 1 out | grep -q '^Usage: ctrain '
awk 'length > 100 { exit 1 }' out
[[ $(sed -n '/^Examples:/,$p' out | grep -c '^  ctrain ') -ge 2 ]]
quiet ctrain train --help >named
grep -q '^Usage: ctrain train' named
quiet ctrain --version | head -n 1 | grep -q '^ctrain (teasel) '
