# An option of another objective, script or option is misuse: nothing is ignored.
. "$TESTS/cli/cshard/check.bash"
V=$TESTS/data/tokenizers/bert-base-uncased/vocab.txt
docs=$F/bert-instances/docs.jsonl
wrong() { # wrong OPTION REST...: told by its name, and no output
    refuses "${1%%=*}" -- cmask "${@:2}" "$1" -V "$V" --input=jsonl -o none.tslrec "$docs"
    test ! -e none.tslrec
}
for o in --window=5 --lone=drop --cut-words --epoch=1 --epoch=0 --static=1 --dynamic --unit=word \
    --split=1/1/1 --draw-specials --across-sep --independent --pack=docs --noise=.1 --permute \
    --np-seed=1 --join-docs --ngram=2 --overlap=0 --positions; do
    wrong $o nsp --compat=bert
done
for o in --lone=drop --split=1/1/1 --join-docs --unit=ngram; do wrong $o sop --compat=albert; done
for o in --short-prob=.2 --dupe-factor=2 --python2 --max-predictions=3 --mask-prob=.2 --whole-word; do
    wrong $o electra --compat=electra
done
for o in --dupe-factor=2 --python2 --np-seed=1 --permute --join-docs --favor-longer-ngram; do
    wrong $o nsp
done
for o in --mask-prob=.2 --whole-word --split=1/1/1 --noise=.2 --separator --short-prob=.1; do
    wrong $o clm
done
wrong --pack=docs nsp
wrong --noise=.2 ul2
wrong --split=80/10/10 plm
wrong --draw-specials mae
wrong --lone=drop mlm
# without the option that gives them a meaning, or a number that has none
wrong --ngram=2 mlm
wrong --ngram=2 mlm --unit=word
wrong --overlap=1 mlm
wrong --drop-last clm --pack=docs
wrong --static=0 nsp
wrong --max-predictions=0 nsp
for o in --overlap=4294967297 --sentinels=4294967297 --sentinel=99999999999; do wrong $o span; done
wrong --epoch=9223372036854775808 nsp
wrong --np-seed=4294967296 sop --compat=albert
# what is of it is taken
quiet cmask plm --whole-word --across-sep -q -V "$V" --input=jsonl --static=1 -o plm.tslrec "$docs"
quiet cmask sop --compat=albert --ngram=2 --dupe-factor=1 -q -V "$V" --input=jsonl -o a.tslrec "$docs"
quiet cmask electra --short-prob=.5 --epoch=2 -q -V "$V" --input=jsonl -o e.tslrec "$docs"
