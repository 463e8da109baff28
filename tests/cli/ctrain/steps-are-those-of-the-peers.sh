# Operations, and whole steps of BERT and GPT-2, as tests/data/train says: forward, gradients, five
# steps of two optimizers.
cd "$TESTS/.." || exit 1
out=$($EMULATOR "$B/tests/fixture-train" -q tests/data/train) || { echo "$out" >&2 && exit 1; }
