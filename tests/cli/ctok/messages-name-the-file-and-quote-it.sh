. "$TESTS/cli/ctok/check.bash"
tiny
name=$'a\033b'
refuses 'No such file' -- ctok encode -V vocab.txt "$name"
ctok encode -V vocab.txt "$name" 2>err || true
lacks $'\033' err
printf 'x\n' >"$name"
ctok encode -V vocab.txt --input=jsonl "$name" 2>err || true
lacks $'\033' err
grep -q 'line 1, column 1' err
