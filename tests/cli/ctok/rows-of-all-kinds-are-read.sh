. "$TESTS/cli/ctok/check.bash"
tiny
printf 'the fox\0he\0' >in
is $'5 8\n23\n' ctok encode -V vocab.txt -z in
printf 'the\nfox\n\n\nhe\nleft\n' >in
is $'5 8\n23 24\n' ctok encode -V vocab.txt --rows=para in
printf 'thefoxhe ' >in
is $'5\n8\n23\n' ctok encode -V vocab.txt --rows=fixed:3 in
printf 'a' >one && printf 'b' >two
printf 'one\0two\0' | is $'19\n20\n' ctok encode -V vocab.txt --files0-from=-
