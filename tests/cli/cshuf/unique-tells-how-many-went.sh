. "$TESTS/cli/cshuf/check.bash"
{ rows 300 && rows 200; } >in
cshuf --unique --stats stats -v in >out 2>err
grep -q '\<200\>' stats
grep -q '\<200\>' err
