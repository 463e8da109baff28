. "$TESTS/cli/cshuf/check.bash"
rows 100 >in
refuses nope -- cshuf --shards 3 -o 'part-%d' in nope
[[ $(ls -A) == in ]]
