# What Hugging Face 0.23.3 gives for parts that are seldom met together.
. "$TESTS/cli/ctok/check.bash"
cat >t.json <<'E'
{"version":"1.0","added_tokens":[{"id":4,"content":"<m>","single_word":false,"lstrip":true,"rstrip":false,"normalized":false,"special":true},{"id":5,"content":"Ab","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":false}],"normalizer":{"type":"Lowercase"},"decoder":{"type":"Sequence","decoders":[]},"model":{"type":"Unigram","unk_id":0,"byte_fallback":false,"vocab":[["<unk>",0.0],["a",-1.0],["b",-2.0],["c",-3.0]]}}
E
printf 'aéXb  <m>AB\nAb\nc\n' >in
is '{"ids":[1,0,2,4,5],"tokens":["a","éx","b","  <m>","ab"],"offsets":[[0,1],[1,3],[3,4],[4,9],[9,11]]}
{"ids":[5],"tokens":["ab"],"offsets":[[0,2]]}
{"ids":[3],"tokens":["c"],"offsets":[[0,1]]}
' ctok encode -q -V t.json --output=jsonl --offset-unit=char in
printf '1 0 2 4 5\n5\n3\n' >ids
is 'a<unk>b<m>ab
ab
c
' ctok decode -q -V t.json ids

cat >t.json <<'E'
{"version":"1.0","pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false},"post_processor":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},"model":{"type":"BPE","unk_token":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"vocab":{"Ġ":0,"a":1,"ĠĠ":2,"Ġa":3},"merges":[["Ġ","Ġ"],["Ġ","a"]]}}
E
printf '  a\n a a\n' >in
is '{"ids":[2,1],"tokens":["ĠĠ","a"],"offsets":[[2,2],[2,3]]}
{"ids":[3,3],"tokens":["Ġa","Ġa"],"offsets":[[0,2],[3,4]]}
' ctok encode -q -V t.json --output=jsonl --offset-unit=char in
printf '2 1\n3 3\n' >ids
is 'ĠĠ a
Ġa Ġa
' ctok decode -q -V t.json ids

cat >t.json <<'E'
{"version":"1.0","added_tokens":[{"id":3,"content":"aa","single_word":false,"lstrip":false,"rstrip":true,"normalized":false,"special":false},{"id":4,"content":" b","single_word":false,"lstrip":true,"rstrip":true,"normalized":false,"special":false},{"id":3,"content":"aa","single_word":true,"lstrip":false,"rstrip":false,"normalized":false,"special":false}],"pre_tokenizer":{"type":"Whitespace"},"model":{"type":"WordLevel","unk_token":"?","vocab":{"?":0,"c":1,"aa":2}}}
E
printf 'aa aac aa c\nc  b  b c\n' >in
is '{"ids":[2,0,2,1],"tokens":["aa","?","aa","c"],"offsets":[[0,2],[3,6],[7,9],[10,11]]}
{"ids":[1,3,3,1],"tokens":["c","  b  ","b ","c"],"offsets":[[0,1],[1,6],[6,8],[8,9]]}
' ctok encode -q -V t.json --output=jsonl --offset-unit=char in
printf '2 0 2 1\n1 3 3 1\n' >ids
is 'aa ? aa c
c  b  b c
' ctok decode -q -V t.json ids

cat >t.json <<'E'
{"version":"1.0","normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"FixedLength","length":1},"decoder":{"type":"BPEDecoder","suffix":""},"model":{"type":"WordLevel","unk_token":"?","vocab":{"?":0,"가":1,"ᆧ":2,"각":3}}}
E
printf '가ᆧ\n각\n' >in
is '{"ids":[1,2],"tokens":["가","ᆧ"],"offsets":[[0,1],[1,2]]}
{"ids":[3],"tokens":["각"],"offsets":[[0,1]]}
' ctok encode -q -V t.json --output=jsonl --offset-unit=char in
printf '1 2\n3\n' >ids
is ' 가 ᆧ
각
' ctok decode -q -V t.json ids

cat >t.json <<'E'
{"version":"1.0","model":{"type":"BPE","unk_token":null,"continuing_subword_prefix":"é","fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"vocab":{"a":0,"éb":1,"ab":2,"éé":3,"aé":4},"merges":[["a","éb"],["a","éé"]]}}
E
printf 'ab\naé\n' >in
is '{"ids":[2],"tokens":["ab"],"offsets":[[0,2]]}
{"ids":[4],"tokens":["aé"],"offsets":[[0,2]]}
' ctok encode -q -V t.json --output=jsonl --offset-unit=char in
printf '2\n4\n' >ids
is 'ab
aé
' ctok decode -q -V t.json ids

