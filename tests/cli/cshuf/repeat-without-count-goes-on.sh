. "$TESTS/cli/cshuf/check.bash"
{ env --default-signal=PIPE cshuf -r -i 0-10 2>err || true; } | head -n 1000 >out
[[ $(wc -l <out) == 1000 && ! -s err ]]
{ env --default-signal=PIPE cshuf -r -e A B C D 2>err || true; } | head -n 1000 >out
[[ $(wc -l <out) == 1000 && ! -s err ]]
printf 'A\nB\n' | { env --default-signal=PIPE cshuf -r 2>err || true; } | head -n 1000 >out
[[ $(wc -l <out) == 1000 && ! -s err ]]
