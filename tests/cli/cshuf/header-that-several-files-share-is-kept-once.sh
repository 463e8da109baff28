. "$TESTS/cli/cshuf/check.bash"
for n in 1 2 3; do { echo head && rows 100 | sed "s/^/$n /"; } >$n; done
quiet cshuf --header 1 1 2 3 >out
[[ $(head -n 1 out) == head && $(grep -c '^head$' out) == 1 ]]
sed 1d out | sort >have
sed -s 1d 1 2 3 | sort | cmp - have
