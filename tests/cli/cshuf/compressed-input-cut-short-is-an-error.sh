. "$TESTS/cli/cshuf/check.bash"
rows 20000 >in
for pack in 'zstd -q' gzip; do
    $pack <in >whole
    for n in 5 9 20 1000 $(($(wc -c <whole) / 2)) $(($(wc -c <whole) - 1)); do
        head -c $n whole >cut
        refuses cut -- cshuf -o out cut
        [[ ! -e out ]]
        cshuf -m 256K <cut >out 2>err && rc=0 || rc=$?
        [[ $rc == 1 ]]
        rm out
    done
done
