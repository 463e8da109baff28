. "$TESTS/cli/cshuf/check.bash"
rows 2000 >text
awk '{ print "l " $1 }' text | zstd -q >labels.zst
awk '{ print $1 }' text | gzip >numbers.gz
quiet cshuf --with labels.zst=l.out --with numbers.gz=n.out.zst -o out text
awk '{ print "l " $1 }' out | cmp - l.out
zstd -q -dc n.out.zst | cmp - <(awk '{ print $1 }' out)
