. "$TESTS/cli/ctok/check.bash"
plain_build
tiny
echo the >in
refuses 'are too little' '(-m ' -- ctok encode -V vocab.txt -m 1M in
m=$({ ctok encode -V vocab.txt -m 1M in 2>&1 || true; } | sed -n 's/.*(-m \(.*\))/\1/p')
is $'5\n' ctok encode -V vocab.txt -m "$m" in
{ printf '{"text":"' && head -c 20000000 /dev/zero | tr '\0' a && printf '"}\n'; } >big.jsonl
refuses 'big.jsonl: line 1: this row is longer than 8 MiB, a quarter of the memory' -- \
    ctok encode -V vocab.txt -m 32M --input=jsonl big.jsonl
# a tokenizer that only the general engine knows takes rows whole, within the memory
cat >parts.json <<'EOF'
{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
"pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,
"model":{"type":"WordLevel","vocab":{"a":0,"b":1},"unk_token":"b"}}
EOF
head -c 3000000 /dev/zero | tr '\0' a >big
refuses 'big: line 1: this row is longer than 682 KiB without a place to cut' -- \
    ctok encode -V parts.json -m 32M big
is $'1\n' ctok encode -V parts.json -m 1G big
