. "$TESTS/cli/cshuf/check.bash"
printf 'a1\na2' >1
printf 'b1\nb2\n' >2
printf 'c1\n\n' >3
quiet cshuf --rows para 1 2 3 >out
awk 'BEGIN { RS = ""; FS = "\n" } { $1 = $1; print }' out | sort >flat
printf 'a1 a2\nb1 b2\nc1\n' | cmp - flat
