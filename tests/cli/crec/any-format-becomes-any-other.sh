. "$TESTS/cli/crec/check.bash"
stream a.tok 200

# every format that has all of it, from every other; ends of names are taken off, and added
declare -A end=([native]=tslrec [tfrecord]=tfrecord [mds]=mds [jsonl]=jsonl [webdataset]=tar)
for from in "${!end[@]}"; do
    quiet crec convert --to "$from" a.tok "$from.${end[$from]}"
    quiet crec diff a.tok "$from.${end[$from]}"
done
# mds comes with its index; one of another file stays as it is
[[ -s index.json ]]
quiet crec diff a.tok index.json
cp index.json before
quiet crec convert --to mds a.tok mds.mds
cmp index.json before
mkdir one
quiet crec convert --to mds --compress=zstd a.tok one/x
quiet crec diff a.tok one
crec convert --to mds a.tok other 2>err
grep -q 'index.json is there already' err
cmp index.json before
rm index.json other.mds

for from in "${!end[@]}"; do
    for to in "${!end[@]}"; do
        rm -f index.json
        quiet crec convert --to "$to" "$from.${end[$from]}" "$from-$to"
        quiet crec diff a.tok "$from-$to.${end[$to]}"
    done
done

# formats of ids: several files that begin alike, and as pipes
ids_of() { sed 's/.*"ids":\(\[[^]]*\]\).*/\1/'; }
crec head -n 200 a.tok | ids_of >ids
quiet crec convert --to megatron a.tok m.idx
[[ -s m.idx && -s m.bin ]]
crec head -n 200 m.idx | ids_of | cmp - ids
quiet crec convert --to datatrove a.tok d.ds
crec head -n 200 d.ds | ids_of | cmp - ids
quiet crec convert --to npy a.tok n.npy
[[ -s n.ids.npy && -s n.ids.ends.npy ]]
crec convert --to u16 a.tok | od -An -v -tu2 -w2 | tr -d ' ' | cmp - <(tr -d '[]' <ids | tr , '\n' | sed '/^$/d')
crec convert --to u32 <a.tok - | cmp - <(crec convert --to u32 a.tok)
crec convert --to tfrecord --compress=gzip a.tok - | gzip -dc | cmp - tfrecord.tfrecord

# compressed as the name says, or as told
quiet crec convert --to jsonl a.tok z.jsonl.zst
zstd -dcq z.jsonl.zst | cmp - jsonl.jsonl
quiet crec convert --to native --compress=none -m 32M a.tok plain.tslrec
(($(stat -c %s plain.tslrec) > $(stat -c %s native.tslrec)))
quiet crec convert --to jsonl a.tok x.data
cmp x.data.jsonl jsonl.jsonl

# layouts
refuses 'megatron alone' -- crec convert --to jsonl --layout=sentence a.tok
docs 200 | ctok encode -V vocab.txt --split-sentences --output=stream |
    quiet cmask mlm --static=1 -o s.tslrec
quiet crec convert --to jsonl --layout=bert s.tslrec b
cshard -q -f jsonl --layout=bert -o set s.tslrec
cmp b.jsonl set/part-00000.jsonl

# nothing is left of what failed
refuses 'convert to what' -- crec convert a.tok
refuses 'invalid --to' -- crec convert --to tape a.tok
refuses 'more than IN and OUT' -- crec convert --to mds a.tok b c
refuses 'need a folder' -- crec convert --to npy a.tok
head -c 9000 a.tok >cut.tok
exits 1 crec convert --to tfrecord cut.tok cut
[[ ! -e cut.tfrecord ]]
grep -q 'cut.tok.*ended early' err
exits 1 crec convert --to tfrecord a.tok no/where
grep -q no/where err
