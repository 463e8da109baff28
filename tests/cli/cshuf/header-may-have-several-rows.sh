. "$TESTS/cli/cshuf/check.bash"
{ printf 'h1\nh2\nh3\n' && rows 500; } >in
quiet cshuf --header 3 in >out
head -n 3 out | cmp - <(printf 'h1\nh2\nh3\n')
permutes out in
