. "$TESTS/cli/ctok/check.bash"
tiny
printf 'the fox\n\n他 left\nthe the the the the\n' >in
quiet ctok encode -V vocab.txt --stats stats -o out in
for s in '"documents": 4' '"sentences": 3' '"tokens": 9' '"text_bytes": 34' '"unknown_tokens": 1' \
    '"unknown_rate": 0.111111' '"invalid_parts": 0' '"longest_document": 5' '"bytes_out": 20'; do
    grep -q "^$s,\?$" stats || { cat stats >&2 && echo "no $s" >&2 && exit 1; }
done
python3 -c 'import json; json.load(open("stats"))' 2>/dev/null || ! command -v python3 >/dev/null
refuses 'named for two outputs' -- ctok encode -V vocab.txt --stats out -o out in
