. "$TESTS/cli/cshuf/check.bash"
{ head -c 3000000 /dev/zero | tr '\0' x && echo; } >large
{ cat large && rows 100 && cat large && rows 100; } >in
quiet cshuf --unique -m 1M in >out
sort -u in | cmp - <(sort out)
