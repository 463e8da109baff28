. "$TESTS/cli/cshard/check.bash"
[[ -e $B/tests/libiofault.so ]] || { echo "no libiofault.so" >&2 && exit 77; }
samples 300 s.tslrec
for f in native mds jsonl; do
    quiet cshard -f $f --shard-rows=40 -o whole-$f s.tslrec
    resumed=0
    for n in 3 8 20 30 45 60 80 100; do
        rm -rf cut
        status=0
        LD_PRELOAD=$B/tests/libiofault.so IOFAULT_OP=io IOFAULT_DO=SIGKILL IOFAULT_AT=$n \
            IOFAULT_EXE=cshard IOFAULT_PATH=cut cshard -f $f --shard-rows=40 -o cut s.tslrec >out 2>err ||
            status=$?
        [[ $status == 0 || $status == 137 ]]
        [[ $status == 137 ]] || break
        [[ ! -e cut/manifest.json || ! -e cut/manifest.journal ]] || crec verify cut
        [[ ! -e cut/manifest.json ]] || continue
        [[ -e cut/manifest.journal ]] || continue
        refuses --resume -- cshard -f $f --shard-rows=40 -o cut s.tslrec
        if [[ $(wc -l <cut/manifest.journal) -gt 0 ]]; then
            refuses 'another job' -- cshard -f $f --shard-rows=41 --resume -o cut s.tslrec
        fi
        quiet cshard -f $f --shard-rows=40 --resume -o cut s.tslrec
        diff -r whole-$f cut
        resumed=$((resumed + 1))
    done
    [[ $resumed -ge 2 ]]
done
