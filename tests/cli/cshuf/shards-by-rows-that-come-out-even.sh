. "$TESTS/cli/cshuf/check.bash"
rows 300 >in
quiet cshuf --shard-rows 100 -o 'part-%02d' in
[[ $(echo part-*) == 'part-00 part-01 part-02' ]]
