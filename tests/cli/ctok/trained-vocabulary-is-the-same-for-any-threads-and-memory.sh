. "$TESTS/cli/ctok/check.bash"
small=40M # a sanitizer's own memory counts
case $B in */asan | */tsan) small=64M ;; esac
novel 3000 >in
novel 1000 | tac >more
for kind in --model=wordpiece --model=bpe '--model=bpe --ties=spm' --model=unigram; do
    quiet ctok train $kind --size=450 -q -o a in more
    quiet ctok train $kind --size=450 -q -o b -j 1 -m 64M more in
    quiet ctok train $kind --size=450 -q -o c -j 7 -m $small -T . <(gzip -c in) more
    diff -r a b && diff -r a c
    rm -r a b c
done
