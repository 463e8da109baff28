. "$TESTS/cli/cshuf/check.bash"
rows 5000 >in
quiet cshuf -s 77 --stats stats -o out in
grep -q '"seed": *"\{0,1\}77\>' stats
grep -q '\<5000\>' stats
grep -q "\\<$(wc -c <in)\\>" stats
if command -v python3 >/dev/null; then
    python3 -c 'import json; assert isinstance(json.load(open("stats")), dict)'
fi
