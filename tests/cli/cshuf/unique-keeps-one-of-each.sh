. "$TESTS/cli/cshuf/check.bash"
{ rows 3000 && rows 2000 && rows 1000; } >in
quiet cshuf --unique in >out
sort -u in | cmp - <(sort out)
