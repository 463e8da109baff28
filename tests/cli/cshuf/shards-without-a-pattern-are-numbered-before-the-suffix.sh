. "$TESTS/cli/cshuf/check.bash"
rows 20 >in
quiet cshuf --shards 2 -o corpus.txt in
[[ $(echo corpus*) == 'corpus-00000.txt corpus-00001.txt' ]]
cat corpus* >out
permutes out in
