. "$TESTS/cli/cshuf/check.bash"
{ echo head && rows 500; } >in
cshuf -s 1 --header 1 in >full
quiet cshuf -s 1 --header 1 -n 10 in >out
head -n 11 full | cmp - out
