. "$TESTS/cli/ctrain/check.bash"
small
quiet ctrain "${five[@]}" -n 6 -o each --log-every=1
quiet ctrain "${five[@]}" -n 6 -o third --log-every=3
# numbers NAME FILE: all of that name, one a line
numbers() { sed -n 's/.*"'"$1"'": \([-+.0-9e]*\).*/\1/p' "$2/metrics.jsonl"; }
for name in loss mlm_loss nsp_loss mlm_accuracy grad_norm; do
    numbers $name each | awk '{ s += $1 } NR % 3 == 0 { printf "%.10g\n", s / 3; s = 0 }' >want
    numbers $name third | awk '{ printf "%.10g\n", $1 }' >is
    diff want is
done
[[ $(wc -l <want) == 2 ]]
