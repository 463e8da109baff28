# --synonyms: all of a word that is chosen shows a similar one; a reader of samples does the same.
. "$TESTS/cli/cshard/check.bash"
V=$TESTS/data/tokenizers/bert-base-uncased/vocab.txt
docs=$F/bert-instances/docs.jsonl
printf 'the\ta\tthis\nof\tfrom\nand\tor\nnonsenseword\tgood\nto\tunbelievable\n' >words
opts=(-V "$V" --input=jsonl --seq-length=64 --unit=macbert --synonyms=words)
cmask mlm "${opts[@]}" --static=1 --output=jsonl "$docs" >static 2>said
grep -q 'left out' said
quiet cmask mlm -q "${opts[@]}" -o d.tslrec "$docs"
quiet cshard --epoch=0 --layout=plain -f jsonl -o read d.tslrec
cat read/*.jsonl | cmp - static
cmask mlm -q "${opts[@]}" --static=1 --stats=stats.json -o /dev/null "$docs" || true
grep -q '"shown_mask": 0,' stats.json
! grep -q '"shown_similar": 0,' stats.json
# ids where there is no vocabulary
printf '1996\t1037\n12 x\t3\n' >words
refuses 'line 2' -- cmask mlm -q --synonyms=words --input=jsonl "$docs"
refuses 'synonyms' -- cmask clm "${opts[@]}" "$docs"
# each word by a draw of its own
quiet cmask mlm -q -V "$V" --input=jsonl --seq-length=64 --independent --whole-word --static=1 \
    --output=jsonl "$docs" >static
quiet cmask mlm -q -V "$V" --input=jsonl --seq-length=64 --independent --whole-word -o e.tslrec "$docs"
rm -rf read
quiet cshard --epoch=0 --layout=plain -f jsonl -o read e.tslrec
cat read/*.jsonl | cmp - static
