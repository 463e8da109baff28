# Every vocabulary and every part that has expected results, by both engines, whole and in stretches.
folders=()
for f in "$TESTS"/data/tokenizers/*/expected; do folders+=("${f%/expected}"); done
[[ ${#folders[@]} -ge 18 ]]
$EMULATOR "$B/tests/fixture-tokenizers" "${folders[@]}" >agree.txt || { cat agree.txt >&2 && exit 1; }
[[ $(grep -c ' agree$' agree.txt) -ge 45 ]]
