. "$TESTS/cli/cshuf/check.bash"
cshuf -s 1 -r -n 6000 -e a b c >out
sort out | uniq -c | awk '$1 < 1850 || $1 > 2150 { exit 1 }'
# and independently: after an a, a b is as likely as elsewhere
tr -d '\n' <out | grep -o 'a[abc]' | sort | uniq -c >pairs
[[ $(wc -l <pairs) == 3 ]]
