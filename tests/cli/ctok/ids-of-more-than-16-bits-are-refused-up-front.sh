. "$TESTS/cli/ctok/check.bash"
{ printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' && seq 70000; } >vocab.txt
echo 1 >in
refuses 'ids go up to 70004, more than 16 bits hold' '--output=u32' -- \
    ctok encode -V vocab.txt --output=u16 -o out in
[[ ! -e out ]]
is $'5 70004\n' ctok encode -V vocab.txt <<<'1 70000'
