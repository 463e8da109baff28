. "$TESTS/cli/ctok/check.bash"
tiny
printf '%s\n' '{"text":"the \u0066ox\n\u4f60"}' '{"a":[{"text":1}],"text":"","text":"he"}' >in
is $'5 8 16\n23\n' ctok encode -V vocab.txt --input=jsonl in
printf '%s\n' '{"doc":{"body":"the fox"},"body":"he","a.b":"he left"}' >in
is $'5 8\n' ctok encode -V vocab.txt --input=jsonl --json-field=doc.body in
is $'23 24\n' ctok encode -V vocab.txt --input=jsonl --json-field='a\.b' in
