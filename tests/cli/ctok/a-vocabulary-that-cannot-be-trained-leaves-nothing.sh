. "$TESTS/cli/ctok/check.bash"
novel 50 >in
: >empty
printf '\n \n\n' >blank
for kind in --model=wordpiece --model=bpe '--model=bpe --ties=spm' --model=unigram; do
    refuses 'no words' -- ctok train $kind --size=400 -o d empty
    refuses '3' -- ctok train $kind --size=3 -o d in
    [[ ! -e d ]]
done
refuses 'no words' -- ctok train --model=wordpiece --size=400 -o d blank
refuses 'no room' 'alphabet-limit' -- ctok train --model=wordpiece --size=20 -o d in
refuses 'no room' -- ctok train --model=bpe --size=200 -o d in
[[ ! -e d ]]
# what is there stays until all is done; a folder is for one kind
quiet ctok train --model=bpe --size=300 -o d in
cp -r d before
refuses 'another kind' vocab.json -- ctok train --model=wordpiece --size=400 -o d in
refuses 'no room' -- ctok train --model=bpe --size=200 -o d in
diff -r before d
quiet ctok train --model=bpe --size=310 -o d in
[[ $(wc -l <d/merges.txt) -gt $(wc -l <before/merges.txt) ]]
[[ $(ls -A d | wc -l) == 3 ]]
# a file in the way
quiet mkdir -p e/tokenizer.json
refuses tokenizer.json -- ctok train --model=bpe --size=300 -o e in
[[ $(ls -A e) == tokenizer.json ]]
