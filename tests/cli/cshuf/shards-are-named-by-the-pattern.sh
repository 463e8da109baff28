. "$TESTS/cli/cshuf/check.bash"
rows 100 >in
quiet cshuf --shards 3 -o 'part-%05d.txt' in
[[ $(echo part-*) == 'part-00000.txt part-00001.txt part-00002.txt' ]]
mkdir sub
quiet cshuf --shards 3 -o 'sub/%d' in
[[ $(ls sub) == $'0\n1\n2' ]]
quiet cshuf --shards 2 -o '100%%-%03d.txt' in
[[ -s 100%-000.txt && -s 100%-001.txt ]]
