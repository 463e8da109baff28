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
