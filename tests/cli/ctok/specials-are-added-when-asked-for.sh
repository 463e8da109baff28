. "$TESTS/cli/ctok/check.bash"
tiny
printf 'the fox\n\n' >in
is $'2 5 8 3\n2 3\n' ctok encode -V vocab.txt --specials=add in
is $'5 8\n\n' ctok encode -V vocab.txt --specials=none in
