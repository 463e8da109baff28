. "$TESTS/cli/ctok/check.bash"
tiny
texts 20000 >in
jsonl <in >in.jsonl
for f in ids jsonl stream u16 u32; do
    for s in '' --split-sentences '--specials=add'; do
        quiet ctok encode -V vocab.txt --output=$f $s -j 1 in >want
        for o in '-j 2' '-j 5 -m 80M' '-j 1 -m 60M'; do
            quiet ctok encode -V vocab.txt --output=$f $s $o <in >out
            cmp out want
        done
        quiet ctok encode -V vocab.txt --output=$f $s --input=jsonl in.jsonl >out
        cmp out want
    done
done
