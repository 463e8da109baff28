. "$TESTS/cli/cshuf/check.bash"
{ head -c 20000000 /dev/zero | tr '\0' x && echo; } >large
{ rows 1000 && cat large && rows 1000; } >in
quiet cshuf -s 1 -m 1M in >out
permutes out in
quiet cshuf -s 1 -m 256M in >out2
cmp out out2
