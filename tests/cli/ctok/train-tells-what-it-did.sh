. "$TESTS/cli/ctok/check.bash"
novel 300 >in
quiet ctok train --model=wordpiece --size=300 --stats=s.json -o d in
for key in '"tool": "ctok train"' '"model": "WordPiece"' '"documents": 300' '"size": 300' '"tokens": ' '"alphabet": ' \
    '"different_words": ' '"trained_words": ' '"seconds": ' '"peak_rss_bytes": '; do
    grep -q "$key" s.json || { cat s.json >&2 && exit 1; }
done
ctok train --model=bpe --size=100000 -v -o b in 2>err
grep -q 'fewer than --size' err
grep -q 'tokens from .* different words' err
ctok train --model=unigram --size=100 --progress=always -o u in 2>err
quiet ctok train --model=bpe --ties=spm --size=300 --explain -m 100M -j 2 -o nowhere in >plan
[[ ! -e nowhere ]]
for word in model specials merges alphabet words input memory temporary threads 'nowhere/tokenizer.model' '100 MiB'; do
    grep -q "$word" plan || { cat plan >&2 && exit 1; }
done
quiet ctok count --model=bpe --explain -o nowhere in >plan
grep -q 'output *nowhere' plan
[[ ! -e nowhere ]]
quiet ctok count --model=bpe --stats=s.json -o counts in
grep -q '"tool": "ctok count"' s.json
grep -q '"documents": 300' s.json
