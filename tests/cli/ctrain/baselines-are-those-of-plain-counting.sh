. "$TESTS/cli/ctrain/check.bash"
vocabulary
masked 100 train.tslrec 5
masked 40 held.tslrec 9
quiet ctrain eval --baselines=train.tslrec --data=held.tslrec >b
quiet ctrain eval --baselines=train.tslrec --data=held.tslrec --memory=0 --batch=3 >small
diff b small
quiet ctrain eval --baselines=train.tslrec --data=held.tslrec --stats=- >b.json
[[ $(value labels b.json) == "$(value baseline_labels b)" ]]
# 。 is a fifth of all; a word tells the next one three times of four
awk -v u="$(value unigram_accuracy b)" -v b="$(value bigram_accuracy b)" \
    'BEGIN { exit !(u > .1 && u < .25 && b > .4 && b < .75) }'
refuses 'no data' -- ctrain eval --baselines=train.tslrec
refuses 'which model' -- ctrain eval --data=held.tslrec
