. "$TESTS/cli/ctok/check.bash"
tiny
printf 'the fox! He left.\n\n你好。 !\n' >in
is $'5 8 15\n23 24 13\n\n\n16 17 18\n15\n\n' ctok encode -V vocab.txt --split-sentences in
is $'2 5 8 15 3\n2 23 24 13 3\n\n\n2 16 17 18 3\n2 15 3\n\n' \
    ctok encode -V vocab.txt --split-sentences --specials=add in
