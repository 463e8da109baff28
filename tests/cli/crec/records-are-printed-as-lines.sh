. "$TESTS/cli/crec/check.bash"
stream a.tok 500
quiet crec head a.tok >head
[[ $(wc -l <head) == 10 ]]
quiet crec head -n 1000 a.tok >all
[[ $(wc -l <all) == 500 ]]
head all | cmp - head
# the ids are those that ctok tells of
sed 's/.*"ids":\[\([^]]*\)\].*/\1/; s/,/ /g' all >ids
docs 500 | ctok encode -V vocab.txt | cmp - ids
for i in 0 1 250 499; do
    quiet crec at $i a.tok >one
    sed -n $((i + 1))p all | cmp - one
    cat a.tok | quiet crec at $i | cmp - one
done
quiet crec at 17-23 a.tok >some
sed -n 18,24p all | cmp - some
refuses 'record 500, but there are 500' -- crec at 500 a.tok
refuses 'ends before record 500' -- crec at 500 <a.tok
refuses 'invalid number of a record' -- crec at x a.tok
[[ $(crec count a.tok) == 500 ]]
[[ $(crec count <a.tok) == 500 ]]
crec count a.tok a.tok >two
printf '500 a.tok\n500 a.tok\n' | cmp - two
# a set counts records that its format cannot pick: they are read from the begin
for f in tfrecord jsonl webdataset native; do
    quiet cshard -q -f $f --shard-rows=150 -o "set-$f" a.tok
    quiet crec at 300-301 "set-$f" >some
    crec head -n 302 "set-$f" | tail -n 2 | cmp - some
    refuses "set-$f: record 500, but there are 500" -- crec at 500 "set-$f"
done
