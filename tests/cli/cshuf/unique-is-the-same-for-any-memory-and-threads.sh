. "$TESTS/cli/cshuf/check.bash"
{ rows 20000 && rows 30000; } >in
cshuf -s 2 --unique in >want
[[ $(wc -l <want) == 30000 ]]
for how in '-m 256K' '-m 1M -j 1' '-m 1G -j 4'; do
    quiet cshuf -s 2 --unique $how in >out
    cmp out want
done
