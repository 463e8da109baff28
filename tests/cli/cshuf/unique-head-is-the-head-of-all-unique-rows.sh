. "$TESTS/cli/cshuf/check.bash"
{ rows 3000 && rows 2000; } >in
cshuf -s 2 --unique in >full
quiet cshuf -s 2 --unique -n 50 in >out
head -n 50 full | cmp - out
