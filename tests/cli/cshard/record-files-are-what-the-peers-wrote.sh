# The record files of tests/data/formats, made by the peers' own writers, read as they say.
cd "$TESTS/.." || exit 1
out=$($EMULATOR "$B/tests/fixture-formats" tests/data/formats) || { echo "$out" >&2 && exit 1; }
