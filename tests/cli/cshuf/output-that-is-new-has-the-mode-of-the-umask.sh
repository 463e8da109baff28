. "$TESTS/cli/cshuf/check.bash"
rows 50 >in
umask 022
quiet cshuf -o a in
umask 077
quiet cshuf -o b in
[[ $(stat -c %a a b) == $'644\n600' ]]
