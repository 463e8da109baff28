. "$TESTS/cli/crec/check.bash"
stream a.tok 500
quiet crec order a.tok >whole
seq 0 499 >numbers
permutes whole numbers
quiet crec order --records=500 | cmp - whole
crec order --seed=1 a.tok >other
differ whole other
crec order --epoch=1 a.tok >other
differ whole other
# three trainers take turns
for r in 0 1 2; do crec order --rank=$r --world=3 a.tok >part.$r; done
paste -d '\n' part.0 part.1 part.2 | sed '/^$/d' | cmp - whole
# one that stopped after 100 of all goes on with four
for r in 0 1 2 3; do crec order --skip=100 --rank=$r --world=4 a.tok >part.$r; done
paste -d '\n' part.0 part.1 part.2 part.3 | sed '/^$/d' | cmp - <(tail -n +101 whole)
crec order -n 7 a.tok | cmp - <(head -n 7 whole)
[[ -z $(crec order --records=0) ]]
refuses 'rank must be below' -- crec order --rank=2 --world=2 a.tok
refuses 'instead of FILE' -- crec order --records=3 a.tok
