. "$TESTS/cli/ctok/check.bash"
plain_build
tiny
echo the >in
refuses 'are too little' '(-m ' -- ctok encode -V vocab.txt -m 1M in
m=$({ ctok encode -V vocab.txt -m 1M in 2>&1 || true; } | sed -n 's/.*(-m \(.*\))/\1/p')
is $'5\n' ctok encode -V vocab.txt -m "$m" in

# words that a trainer cannot hold: what would make them fewer
novel 30000 | awk '{ print $0, NR, NR * 7919, NR * 104729 }' >in
export TMPDIR=$PWD
refuses memory 'min-count' -- ctok train --model=unigram --size=600 -m 12M -j 1 -o d in
[[ ! -e d ]]
