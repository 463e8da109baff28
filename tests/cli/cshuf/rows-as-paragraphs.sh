. "$TESTS/cli/cshuf/check.bash"
printf '\n\nb1\nb2\n\n\n\na\n\nc1\nc2\nc3' >in
quiet cshuf --rows para in >out
[[ $(grep -c . out) == 6 ]]
awk 'BEGIN { RS = ""; FS = "\n" } { $1 = $1; print }' out | sort >flat
printf 'a\nb1 b2\nc1 c2 c3\n' | cmp - flat
# each is followed by exactly one blank line
awk 'NF { n++ } !NF { if (!n) exit 1; n = 0 } END { if (n) exit 1 }' out
[[ $(tail -c 2 out | od -An -tx1) == ' 0a 0a' ]]
