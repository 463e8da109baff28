# What --static writes for a copy is what a reader of that epoch gets, of every objective; and
# threads and memory change nothing.
. "$TESTS/cli/cshard/check.bash"
V=$TESTS/data/tokenizers/bert-base-uncased/vocab.txt
docs=$F/bert-instances/docs.jsonl
for o in mlm nsp sop clm span ul2 prefix unilm plm electra mae; do
    quiet cmask $o -V "$V" --static=2 --input=jsonl --seq-length=64 --output=jsonl "$docs" >static
    quiet cmask $o -V "$V" --static=2 --input=jsonl --seq-length=64 --output=jsonl -m 1M -j 1 \
        "$docs" >narrow
    cmp static narrow
    for e in 0 1; do
        quiet cmask $o -V "$V" --epoch=$e --input=jsonl --seq-length=64 -o d.tslrec "$docs"
        quiet cshard --epoch=$e --layout=plain -f jsonl -o read-$e d.tslrec
    done
    cat read-0/*.jsonl read-1/*.jsonl | cmp - static
    rm -rf read-0 read-1 d.tslrec
done
