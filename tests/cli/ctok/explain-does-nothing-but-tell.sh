. "$TESTS/cli/ctok/check.bash"
tiny
echo the >in
quiet ctok encode -V vocab.txt --explain -m 100M -j 2 -o out in >plan
[[ ! -e out ]]
for word in vocabulary options input output memory threads 'ids to out' '100 MiB'; do
    grep -q "$word" plan || { cat plan >&2 && exit 1; }
done
