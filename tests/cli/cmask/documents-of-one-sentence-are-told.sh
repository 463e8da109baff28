# Lines that were shuffled make documents of one sentence: told where sentences matter.
. "$TESTS/cli/cshard/check.bash"
V=$TESTS/data/tokenizers/bert-base-uncased/vocab.txt
for i in {1..9}; do echo "[[200$i,300$i,400$i]]"; done >lone
opts=(-V "$V" --input=jsonl -o s.tslrec)
for o in nsp sop mlm electra 'clm --pack=sentences' 'nsp --compat=bert'; do
    cmask $o "${opts[@]}" lone 2>said
    grep -q 'one sentence' said
    test "$(wc -l <said)" = 1
done
for o in clm span ul2 prefix 'mlm --pack=bestfit' 'nsp -q'; do quiet cmask $o "${opts[@]}" lone; done
echo '[[5,6],[7]]' >>lone
quiet cmask nsp "${opts[@]}" lone
head -n 1 lone >one
cmask nsp "${opts[@]}" one 2>said
grep -q 'one document only' said
printf '[]\n[[],[]]\n' >empty
for o in nsp sop mlm clm span plm electra; do quiet cmask $o "${opts[@]}" empty; done
# brackets of its own are left out where there is one
sed 's/\[\[/[/; s/\]\]/]/' <(head -n 9 lone) >flat
cmask mlm "${opts[@]}" flat 2>said
grep -q 'one sentence' said
mv s.tslrec flat.tslrec
cmask mlm "${opts[@]}" <(head -n 9 lone) 2>said
cmp s.tslrec flat.tslrec
for line in '[5' '[5,[6]]' '[[5],6]' '[5]]' '[5,]' '[-5]' '[5.0]' '["5"]' '[99999999999]' '{}' 5; do
    printf '%s\n' '[5]' "$line" >bad
    rm -f s.tslrec
    rc=0
    cmask mlm "${opts[@]}" bad 2>said || rc=$?
    [[ $rc == 1 && ! -e s.tslrec ]]
    grep -q 'bad: line 2: no document' said
done
