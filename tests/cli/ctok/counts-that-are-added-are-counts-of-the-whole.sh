. "$TESTS/cli/ctok/check.bash"
novel 600 >in
head -n 250 in >part1
tail -n +251 in >part2
for kind in --model=wordpiece '--model=bpe --pattern=cl100k' --model=unigram; do
    quiet ctok count $kind -o 1.zst part1
    quiet ctok count $kind -o 2 part2
    quiet ctok count $kind --counts=1.zst --counts=2 -o both
    quiet ctok count $kind -o all in
    cmp all both
    quiet ctok train $kind --size=420 -q -o whole in
    quiet ctok train $kind --size=420 -q -o parts --counts=1.zst --counts=2
    quiet ctok train $kind --size=420 -q -o mixed --counts=2 part1
    quiet ctok train $kind --size=420 -q -o twice --counts=both
    diff -r whole parts && diff -r whole mixed && diff -r whole twice
    rm -r whole parts mixed twice
done
# words counted in another way are not added to these
quiet ctok count --model=wordpiece -o lower part1
refuses lower -- ctok train --model=wordpiece --cased --size=400 -o d --counts=lower
refuses lower -- ctok train --model=bpe --size=400 -o d --counts=lower
head -c 100 all >cut
refuses cut -- ctok train --model=unigram --size=400 -o d --counts=cut
[[ ! -e d ]]
# rare words can be left out
quiet ctok count --model=bpe --min-count=1000000 -o few in
refuses 'no words' -- ctok train --model=bpe --size=400 -o d --counts=few
refuses 'no word is left' 1000000 -- ctok train --model=bpe --size=400 --min-count=1000000 -o d in
[[ ! -e d ]]
