. "$TESTS/cli/cshuf/check.bash"
rows 20000 | awk '{ print } NR % 7 == 0 || NR % 11 == 0 { print "" } NR % 77 == 0 { print "" }' >in
oracle-cshuf -s 5 --rows para in >want
for m in 256K 64M; do
    quiet cshuf -s 5 -m $m --rows para in >out
    cmp out want
    cat in | cshuf -s 5 -m $m --rows para | cmp - want
done
