. "$TESTS/cli/crec/check.bash"
stream a.tok 20000
crec head -n 20000 a.tok >all
size=$(stat -c %s a.tok)
for cut in $((size - 1)) $((size / 2)) 300000 1000; do
    head -c $cut a.tok >cut.tok
    exits 0 crec recover -o saved.tok cut.tok
    grep -q 'input ended early' err
    exits 0 crec verify saved.tok
    n=$(crec count saved.tok)
    crec head -n 50000 saved.tok >some
    head -n $n all | cmp - some
done
head -c $((size - 1)) a.tok >cut.tok
exits 0 crec recover -q cut.tok
cmp out a.tok
[[ ! -s err ]]
exits 0 crec recover -o same.tok a.tok
grep -q 'it was whole' err
cmp same.tok a.tok
head -c 100 a.tok >cut.tok
refuses 'in the header' -- crec recover -o none.tok cut.tok
[[ ! -e none.tok ]]
