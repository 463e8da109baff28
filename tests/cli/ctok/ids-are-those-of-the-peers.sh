# Every vocabulary and every part that has expected results, by both engines, whole and in stretches.
[[ $B == */tsan ]] && echo "it has one thread, and would take ten minutes under this sanitizer" >&2 && exit 77
folders=()
for f in "$TESTS"/data/tokenizers/*/expected; do folders+=("${f%/expected}"); done
[[ ${#folders[@]} -ge 18 ]]
$EMULATOR "$B/tests/fixture-tokenizers" "${folders[@]}" >agree.txt || { cat agree.txt >&2 && exit 1; }
[[ $(grep -c ' agree$' agree.txt) -ge 45 ]]
