. "$TESTS/cli/ctok/check.bash"
tiny
printf 'the fox\the left\n' >in
is $'2 5 8 3 23 24 3\n' ctok encode -V vocab.txt --pair in
is '{"ids":[2,5,8,3,23,24,3],"tokens":["[CLS]","the","fox","[SEP]","he","left","[SEP]"],"offsets":[[0,0],[0,3],[4,7],[0,0],[0,2],[3,7],[0,0]],"type_ids":[0,0,0,0,1,1,1]}
' ctok encode -V vocab.txt --pair --output=jsonl in
printf '{"q":"the fox","a":{"x":"he left"}}\n' >in.jsonl
is $'2 5 8 3 23 24 3\n' ctok encode -V vocab.txt --pair --input=jsonl --json-field=q,a.x in.jsonl
printf 'no tab\n' >in
refuses 'in: line 1: a pair takes two texts with a tab' -- ctok encode -V vocab.txt --pair in
refuses 'two fields' -- ctok encode -V vocab.txt --pair --input=jsonl in.jsonl
refuses 'cannot combine' -- ctok encode -V vocab.txt --pair --specials=none in
# a template may give any number
cat >t.json <<'J'
{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,"pre_tokenizer":null,
"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}}],
"pair":[{"Sequence":{"id":"A","type_id":2}},{"Sequence":{"id":"B","type_id":255}}],"special_tokens":{}},
"decoder":null,"model":{"type":"WordLevel","vocab":{"a":0,"b":1},"unk_token":"a"}}
J
printf 'a\tb\n' >in
is '{"ids":[0,1],"tokens":["a","b"],"offsets":[[0,1],[0,1]],"type_ids":[2,255]}
' ctok encode -V t.json --pair --output=jsonl in
