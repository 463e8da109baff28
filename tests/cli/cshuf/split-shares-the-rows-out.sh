. "$TESTS/cli/cshuf/check.bash"
rows 20000 >in
quiet cshuf -s 2 --split train=.98,valid=.01,test=.01 -o 'out-%s.txt' in
[[ $(echo out-*) == 'out-test.txt out-train.txt out-valid.txt' ]]
cat out-train.txt out-valid.txt out-test.txt >out
permutes out in
n=$(wc -l <out-valid.txt)
((n > 120 && n < 280))
n=$(wc -l <out-test.txt)
((n > 120 && n < 280))
