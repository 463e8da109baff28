. "$TESTS/cli/cshuf/check.bash"
rows 20 >in
for pattern in 'a%n' 'a%x' 'a%99999999999d' 'a%*d'; do
    refuses . -- cshuf --shards 3 -o "$pattern" in
done
[[ $(ls) == in ]]
