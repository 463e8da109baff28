. "$TESTS/cli/crec/check.bash"
stream a.tok 300
exits 0 crec verify a.tok
[[ ! -s out && ! -s err ]]
exits 0 crec verify -v a.tok
grep -qx 'a.tok: native, 300 records' out
head -c 9000 a.tok >cut.tok
exits 1 crec verify cut.tok
grep -q 'input ended early' err
cp a.tok bad.tok
printf x | dd of=bad.tok bs=1 seek=5000 conv=notrunc status=none
exits 1 crec verify a.tok bad.tok
grep -q 'bad.tok.*checksum' err
exits 2 crec verify nothing.there a.tok
exits 2 crec verify --no-such-option
exits 2 crec diff a.tok
cshard -q -f mds --shards 3 -o set a.tok
exits 0 crec verify -v set
grep -qx 'set: set, 300 records' out
shard=$(ls set/*.mds | head -n 1)
cp "$shard" kept
printf '\377' | dd of="$shard" bs=1 seek=2000 conv=notrunc status=none
exits 1 crec verify set
grep -q 'checksum .*, but the manifest says' err
head -c 2000 kept >"$shard"
exits 1 crec verify set
mv kept "$shard"
exits 0 crec verify set
