. "$TESTS/cli/cshuf/check.bash"
# all 256 of them, in 300 files of rows that are cut elsewhere each time
for i in {0..255}; do printf "\\x$(printf %x $i)"; done >all
[[ $(wc -c <all) == 256 ]]
for i in {1..300}; do cat all && printf '%d\n' $i; done >in
quiet cshuf in >out
sort in | cmp - <(sort out)
quiet cshuf -z in >out
{ cat in && printf '\0'; } | sort -z | cmp - <(sort -z out)
