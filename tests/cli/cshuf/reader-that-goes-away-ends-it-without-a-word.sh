. "$TESTS/cli/cshuf/check.bash"
rows 50000 >in
(env --default-signal=PIPE cshuf in 2>err && rc=0 || rc=$?; echo $rc >rc) | head -n 1 >out
[[ $(<rc) == 141 && ! -s err ]]
