. "$TESTS/cli/crec/check.bash"
tiny
docs 300 | ctok encode -V vocab.txt --split-sentences --output=stream -o d.tok
quiet cmask mlm --static=1 -o s.tslrec d.tok
quiet crec stat --html=s.html s.tslrec
quiet crec stat --html=- <s.tslrec | sed 's/<\(title\|h1\)>-</<\1>s.tslrec</' | cmp - s.html

# all of the page is here
grep -q '^<!DOCTYPE html>' s.html
tail -n 1 s.html | grep -qx '</html>'
if grep -qE 'https?:|src=|href=|@import|url\(' s.html; then exit 1; fi
for tag in html head body section svg ul li dl p title text pre; do
    (($(grep -oE "<$tag[ >]" s.html | wc -l) == $(grep -o "</$tag>" s.html | wc -l)))
done

# and it is as the records are
crec head -n 100000 s.tslrec >s.jsonl
# list NAME: a record's list of that name a line, blanks between its numbers
list() { sed "s/.*\"$1\":\[\([^]]*\)\].*/\1/; s/,/ /g" s.jsonl; }
records=$(wc -l <s.jsonl) tokens=$(list input_ids | wc -w) places=$(list places | wc -w)
digits() { sed -n "$1" "${2-s.html}" | tr -d ,; }
digits 's|.*<dt>records</dt><dd>\(.*\)</dd>.*|\1|p' | grep -qx "$records"
digits 's|.*<dt>tokens</dt><dd>\(.*\)</dd>.*|\1|p' | grep -qx "$tokens"
digits 's|.*</i>to be predicted .*<small>\(.*\)</small>.*|\1|p' | grep -qx "$places"
masks=$(paste -d '|' <(list input_ids) <(list places) | awk -F '|' '{
    split($1, id, " ")
    n = split($2, place, " ")
    for (i = 1; i <= n; i++) masks += id[place[i] + 1] == 4
} END { print masks }')
digits 's|.*</i>the mask token .*<small>\(.*\)</small>.*|\1|p' | grep -qx "$masks"

# a set, in another layout, has the same and its shards; names are not markup
for options in --layout=bert --layout=hf '--layout=native --round-robin'; do
    rm -rf '<b>&'
    cshard -q -f jsonl --shards=3 $options -o '<b>&' s.tslrec
    quiet crec stat --html=set.html '<b>&'
    grep -q '<h1>&lt;b&gt;&amp;</h1>' set.html
    (($(grep -o '<title>shard [0-9]*: ' set.html | wc -l) == 3))
    sum=$(sed -n 's|.*<title>shard [0-9]*: \(.*\)</title>.*|\1|p' set.html | tr -d , | awk '{ n += $1 } END { print n }')
    [[ $sum == "$tokens" ]]
    digits 's|.*</i>to be predicted .*<small>\(.*\)</small>.*|\1|p' set.html | grep -qx "$places"
    digits 's|.*</i>the mask token .*<small>\(.*\)</small>.*|\1|p' set.html | grep -qx "$masks"
done

# without records, and without columns of ids
stream none.tok 0
quiet crec stat --html=none.html none.tok
grep -q '<dd>0</dd>' none.html
printf '{"x":1.5}\n' >x.jsonl
quiet crec stat --html=x.html x.jsonl
refuses 'one FILE' -- crec stat --html=p.html s.tslrec d.tok
head -c 3000 s.tslrec >cut.tslrec
exits 1 crec stat --html=cut.html cut.tslrec
[[ ! -e cut.html ]]
