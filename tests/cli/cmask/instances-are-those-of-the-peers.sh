# The instances that the peers' scripts gave for tests/data/formats come out of the library
# byte for byte.
cd "$TESTS/.." || exit 1
folders=(tests/data/formats/*-instances tests/data/formats/t5-vectors)
out=$($EMULATOR "$B/tests/fixture-masking" "${folders[@]}") || { echo "$out" >&2 && exit 1; }
