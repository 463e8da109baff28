# The header and the statistics tell every option that changed the output, and a reader keeps it.
. "$TESTS/cli/cshard/check.bash"
V=$TESTS/data/tokenizers/bert-base-uncased/vocab.txt
docs=$F/bert-instances/docs.jsonl
recipe() { quiet cmask "$@" -q -V "$V" --input=jsonl --stats=s.json -o s.tslrec "$docs"; }
tells() { # in the statistics and in the header
    local what
    for what; do
        grep -qF "\"$what" s.json && grep -aqF "\"$what" s.tslrec || {
            echo "no $what"
            exit 1
        }
    done
}
recipe nsp --window=77 --lone=random --short-prob=.25 --cut-words --seed=5
tells 'window": 77' 'lone": "random"' 'short_rate": 0.25' 'cut_words": true' 'seed": "5"'
quiet cshard --epoch=3 -f native -o read s.tslrec
grep -aqF '"window": 77' read/*.tslrec
recipe nsp
tells 'window": 0' 'lone": "split"' 'seed": "0"'
recipe clm --overlap=1 --drop-last
tells 'pack": "stream"' 'overlap": 1' 'drop_last": true'
recipe mlm --pack=bestfit
tells 'pack": "bestfit"'
recipe electra --short-prob=.5
tells 'short_rate": 0.5'
# a script's own seed where none is given, and the one that was drawn
recipe nsp --compat=bert --dupe-factor=2 --whole-word
tells 'compat": "bert"' 'seed": "12345"' 'dupe_factor": 2' 'whole_word": true' 'mask_prob": 0.15'
recipe sop --compat=albert --dupe-factor=1 --permute --np-seed=9
tells 'compat": "albert"' 'permute": true' 'np_seed": 9'
cmask electra --compat=electra --seed=random -V "$V" --input=jsonl --stats=s.json -o s.tslrec "$docs" 2>said
test "$(wc -l <said)" = 1
tells "seed\": \"$(sed 's/.*seed //' said)\""
