. "$TESTS/cli/ctok/check.bash"
novel 50 >in
wordpiece='ctok train --model=wordpiece -o d'
refuses 'no model' "Try 'ctok train --help'" -- ctok train --size=400 -o d in
refuses 'invalid --model: bert (wordpiece, bpe or unigram)' -- ctok train --model=bert --size=400 -o d in
refuses 'how large' -- ctok train --model=bpe -o d in
refuses 'no folder' -- ctok train --model=bpe --size=400 in
refuses 'ties is for --model=bpe' -- $wordpiece --size=400 --ties=spm in
refuses 'invalid --ties: x' -- ctok train --model=bpe --ties=x --size=400 -o d in
refuses 'pattern is for' -- $wordpiece --size=400 --pattern=gpt2 in
refuses 'invalid --pattern: p50k (gpt2, cl100k or o200k)' -- ctok train --model=bpe --pattern=p50k --size=400 -o d in
refuses 'are for --model=wordpiece' -- ctok train --model=bpe --lowercase --size=400 -o d in
refuses 'cannot combine --lowercase and --cased' -- $wordpiece --size=400 --lowercase --cased in
refuses 'prefix-space is for --pattern=gpt2' -- ctok train --model=bpe --pattern=o200k --prefix-space --size=400 -o d in
refuses 'keep-newlines is for rows' -- ctok train --model=bpe --keep-newlines -z --size=400 -o d in
refuses 'byte-fallback is for' -- $wordpiece --size=400 --byte-fallback in
refuses 'split-digits is for' -- ctok train --model=bpe --split-digits --size=400 -o d in
refuses 'charsmap-from is for' -- $wordpiece --size=400 --charsmap-from=x in
refuses 'normalization is for' -- $wordpiece --size=400 --normalization=nfkc in
refuses 'invalid --normalization: nfd (nmt_nfkc, nfkc, nmt_nfkc_cf, nfkc_cf or identity)' -- ctok train --model=unigram --normalization=nfd --size=400 -o d in
refuses 'cannot combine' -- ctok train --model=unigram --normalization=nfkc --charsmap-from=x --size=400 -o d in
refuses 'max-line is for' -- $wordpiece --size=400 --max-line=9 in
refuses 'whitespace-suffix is for' -- ctok train --model=bpe --whitespace-suffix --size=400 -o d in
refuses 'no-split-by-script is for' -- ctok train --model=bpe --no-split-by-script --size=400 -o d in
refuses 'whole-words is for' -- ctok train --model=bpe --ties=spm --whole-words --size=400 -o d in
refuses 'are for --model=unigram' -- ctok train --model=bpe --ties=spm --em-steps=2 --size=400 -o d in
refuses 'invalid --shrink: 0' -- ctok train --model=unigram --shrink=0 --size=400 -o d in
refuses 'unk-piece is for' -- $wordpiece --size=400 --unk-piece=x in
refuses "lack x" -- ctok train --model=unigram --specials='<unk>' --unk-piece=x --size=400 -o d in
refuses 'no_such.model' -- ctok train --model=unigram --charsmap-from=no_such.model --size=400 -o d in
refuses 'min-frequency is for' -- ctok train --model=unigram --min-frequency=2 --size=400 -o d in
refuses 'alphabet-limit is for' -- ctok train --model=bpe --alphabet-limit=2 --size=400 -o d in
refuses 'coverage is for others' -- ctok train --model=bpe --coverage=0.9 --size=400 -o d in
refuses 'invalid --coverage: 2' -- $wordpiece --size=400 --coverage=2 in
refuses 'invalid --coverage: .9x' -- $wordpiece --size=400 --coverage=.9x in
refuses 'score is for' -- ctok train --model=bpe --score=count --size=400 -o d in
refuses 'invalid=bytes is for' -- $wordpiece --size=400 --invalid=bytes in
refuses 'named twice' -- $wordpiece --size=400 --specials='[UNK],[X],[UNK]' in
refuses 'named twice' -- $wordpiece --size=400 --user-symbols='[UNK]' in
refuses 'is empty' -- $wordpiece --size=400 --specials='[UNK],,x' in
refuses 'not UTF-8' -- $wordpiece --size=400 --specials=$'[UNK],\xff' in
refuses 'lack \[UNK\]' -- $wordpiece --size=400 --specials='[PAD]' in
refuses "lack '<unk>'" -- ctok train --model=unigram --specials='<s>' --size=400 -o d in
refuses 'cannot be a line' -- $wordpiece --size=400 --user-symbols=' x' in
refuses 'leaves no room for operands' -- $wordpiece --size=400 --files0-from=in in
refuses 'no_such_file' -- $wordpiece --size=400 no_such_file
refuses 'no/such/folder' -- ctok train --model=bpe --size=400 -o no/such/folder in
[[ ! -e d ]]
