. "$TESTS/cli/ctok/check.bash"
tiny
printf 'the quick fox\n\nfoxes jumped.\n你好。他\nlast' >in
is $'5 6 8\n\n8 9 10 11 13\n16 17 18 1\n1\n' ctok encode -V vocab.txt in
is $'5 6 8\n\n8 9 10 11 13\n16 17 18 1\n1\n' ctok encode -V vocab.txt <in
