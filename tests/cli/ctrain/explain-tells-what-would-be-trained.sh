. "$TESTS/cli/ctrain/check.bash"
small
quiet ctrain "${five[@]}" -o run --explain >out
grep -q '^model: [0-9]* parameters; ' out
grep -q '^data: .*samples of nsp, [0-9]* of them, at most 24 tokens; ' out
grep -q '^step: 4 samples in 1 batches, ' out
[[ ! -e run ]]
