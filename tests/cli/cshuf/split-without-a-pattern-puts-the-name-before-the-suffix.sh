. "$TESTS/cli/cshuf/check.bash"
rows 2000 >in
quiet cshuf --split train=.9,test=.1 -o corpus.txt in
[[ $(ls) == $'corpus.test.txt\ncorpus.train.txt\nin' ]]
cat corpus.* >out
permutes out in
