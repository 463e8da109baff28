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
