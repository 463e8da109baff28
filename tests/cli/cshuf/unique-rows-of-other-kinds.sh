. "$TESTS/cli/cshuf/check.bash"
printf 'aabbaaccbb' >in
quiet cshuf --unique --rows fixed:2 in >out
[[ $(fold -w 2 out | sort | tr '\n' ' ') == 'aa bb cc ' ]]
printf 'a\nb\n\na\n\n\na\nb' >in
quiet cshuf --unique --rows para in >out
awk 'BEGIN { RS = ""; FS = "\n" } { $1 = $1; print }' out | sort >flat
printf 'a\na b\n' | cmp - flat
