. "$TESTS/cli/cshuf/check.bash"
printf 'a\n' >$'odd"\\\n\377'
quiet cshuf --stats stats $'odd"\\\n\377' >out
if command -v python3 >/dev/null; then
    python3 -c 'import json; json.load(open("stats", encoding="utf-8"))'
fi
