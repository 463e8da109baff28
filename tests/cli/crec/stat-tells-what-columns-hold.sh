. "$TESTS/cli/crec/check.bash"
stream a.tok 500
quiet crec stat a.tok >stat
ids=$(docs 500 | ctok encode -V vocab.txt | wc -w)
grep -qx 'format       native' stat
grep -qx 'records      500' stat
grep -q "^ids          u16 list, $ids values, 1 to [0-9]* a record, mean [0-9.]*; 1 to [0-9]*$" stat
grep -q '^starts       bit list, .* % are 1$' stat
grep -q '^meta  *{' stat
quiet crec stat <a.tok | tail -n +2 | cmp - <(tail -n +2 stat)
