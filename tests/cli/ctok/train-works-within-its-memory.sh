. "$TESTS/cli/ctok/check.bash"
novel 30000 | awk '{ print $0, NR, NR * 7919, NR * 104729 }' >in
export TMPDIR=$PWD
quiet ctok train --model=bpe --size=600 -m 16M -j 2 --min-count=2 --stats=s.json -o small in
quiet ctok train --model=bpe --size=600 --min-count=2 -o large in
diff -r small large
# it was too much for memory: words went to disk, sorted, and came back
! grep -q '"sorted_runs": 0' s.json
[[ $(ls -A | wc -l) == 4 ]]
refuses 'MiB of memory are too little' -- ctok train --model=bpe --size=600 -m 1M -o d in
[[ ! -e d ]]
