. "$TESTS/cli/cshard/check.bash"
V=$TESTS/data/tokenizers/bert-base-uncased/vocab.txt
like() { # like FILE OPTION...
    local want=$1
    shift
    quiet cmask "$@" -V "$V" --input=jsonl --output=jsonl "$F/bert-instances/docs.jsonl" | cmp - "$want"
}
I=$F/bert-instances
like $I/seq128-dupe5.jsonl nsp --compat=bert --dupe-factor=5
like $I/seq128-dupe2-wwm.jsonl nsp --compat=bert --dupe-factor=2 --whole-word
like $I/seq64-dupe3-short50-seed7.jsonl nsp --compat=bert --dupe-factor=3 --seq-length=64 \
    --short-prob=.5 --seed=7
like $I/seq512-dupe2-pred77.jsonl mlm --compat=bert --dupe-factor=2 --seq-length=512 \
    --max-predictions=77
like $F/albert-instances/sop-ngram3-seq128-dupe3-npseed12345.jsonl sop --compat=albert \
    --dupe-factor=3 --seq-length=128 --max-predictions=20
like $F/electra-instances/electra-seq128-seed12345.jsonl electra --compat=electra
# a token stream of the same documents says the same
refuses 'objective' -- cmask nonsense
refuses 'CLS' -- cmask nsp --input=jsonl "$I/docs.jsonl"
