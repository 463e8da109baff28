. "$TESTS/cli/cshard/check.bash"
samples 100 s.tslrec
n=$(crec count s.tslrec)
quiet cshard -f jsonl --shards=7 -o by-number s.tslrec
[[ $(ls by-number/part-*.jsonl | wc -l) == 7 ]]
wc -l by-number/*.jsonl | awk '$2 != "total" { print $1 }' | sort -u >sizes
[[ $(wc -l <sizes) -le 2 && $(($(tail -n 1 sizes) - $(head -n 1 sizes))) -le 1 ]]
quiet cshard -f jsonl --shard-rows=10 -o by-rows s.tslrec
[[ $(ls by-rows/part-*.jsonl | wc -l) == $(((n + 9) / 10)) ]]
quiet cshard -f jsonl --shard-rows=$n -o by-all s.tslrec
[[ $(ls by-all/part-*.jsonl | wc -l) == 1 ]]
quiet cshard -f jsonl --shards=1000 -o many s.tslrec
[[ $(ls many/part-*.jsonl | wc -l) == "$n" ]]
quiet cshard -f jsonl --shard-bytes=2000 -o by-bytes s.tslrec
[[ $(ls by-bytes/part-*.jsonl | wc -l) -gt 5 ]]
quiet cshard -f jsonl --shards=3 --round-robin --name=s-%d -o dealt s.tslrec
paste -d '\n' dealt/s-{0,1,2}.jsonl | sed '/^$/d' >turns
cat by-number/*.jsonl | cmp - turns
cat by-rows/*.jsonl | cmp - turns
cat by-bytes/*.jsonl | cmp - turns
# pipes do not tell how many records they have
refuses 'number of records' --round-robin -- cshard -f jsonl --shards=3 -o x - <s.tslrec
[[ ! -e x ]]
# the same job gives the same bytes, whatever the memory
quiet cshard -f mds --shards=3 -o a s.tslrec
quiet cshard -f mds --shards=3 -m 4M -j 1 -o b s.tslrec
diff -r a b
refuses 'finished set already' --force -- cshard -f mds -o a s.tslrec
quiet cshard -f mds --force -o a s.tslrec
[[ $(ls a/*.mds | wc -l) == 1 ]]
