. "$TESTS/cli/cshuf/check.bash"
# 3 "abc", 0 "", 2 "\n\0"
printf '\3\0\0\0abc\0\0\0\0\2\0\0\0\n\0' >in
for seed in {1..20}; do
    quiet cshuf -s $seed --rows u32 in >out
    [[ $(wc -c <out) == 17 ]]
    od -An -v -tx1 out | tr -d ' \n' | sed 's/03000000616263/A/; s/020000000a00/B/; s/00000000/C/' | fold -w 1 | sort | tr -d '\n' >letters
    [[ $(<letters) == ABC ]]
done
