. "$TESTS/cli/cshuf/check.bash"
for i in {1..3000}; do printf '\377\376%d\377\n' $i; done >in
printf '\377' >>in
quiet cshuf -m 256K in >out
{ cat in && echo; } | sort | cmp - <(sort out)
