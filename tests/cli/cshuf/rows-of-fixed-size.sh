. "$TESTS/cli/cshuf/check.bash"
for i in {100..999}; do printf '%d\n' $i; done >in
quiet cshuf --rows fixed:4 in >out
permutes out in
printf 'abcabdaaa' >in
quiet cshuf --rows fixed:3 in >out
[[ $(fold -w 3 out | sort | tr '\n' ' ') == 'aaa abc abd ' ]]
quiet cshuf --rows fixed:1 in >out
[[ $(wc -c <out) == 9 && $(fold -w 1 out | sort | tr -d '\n') == aaaaabbcd ]]
