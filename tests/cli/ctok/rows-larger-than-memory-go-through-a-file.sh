# What has no place to be cut, or is needed as a whole, takes disk where memory is too little:
# the same ids, and the process stays near what -m says.
. "$TESTS/cli/ctok/check.bash"
plain_build
tiny
cat >parts.json <<'EOF'
{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
"pre_tokenizer":null,"post_processor":null,"decoder":null,
"model":{"type":"BPE","vocab":{"<unk>":0,"a":1,"aa":2,"aaa":3},"merges":["a a","aa a"],
"unk_token":"<unk>","continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":true,
"byte_fallback":false,"dropout":null}}
EOF
head -c 3000001 /dev/zero | tr '\0' a >big
ctok encode -q -V parts.json -m 1G -o large big
ctok encode -q -V parts.json -m 32M --stats=stats.json -o small big
cmp large small
[[ $(wc -w <small) -eq 1500000 || $(wc -w <small) -eq 1500001 ]]
TMPDIR=nowhere refuses 'nowhere' -- ctok encode -V parts.json -m 32M big
{ printf '{"text":"' && head -c 6000000 big | sed 's/.\{1,50\}/& /g' | tr -d '\n' && printf '"}\n'; } >big.jsonl
ctok encode -q -V vocab.txt -m 1G --input=jsonl --output=jsonl -o large big.jsonl
ctok encode -q -V vocab.txt -m 24M --input=jsonl --output=jsonl -o small big.jsonl
cmp large small
