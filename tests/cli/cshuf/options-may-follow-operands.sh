. "$TESTS/cli/cshuf/check.bash"
rows 20 >in
quiet cshuf in -n 2 >out
[[ $(wc -l <out) == 2 ]]
quiet cshuf -n2 -- in >out
[[ $(wc -l <out) == 2 ]]
rows 3 >-n1
quiet cshuf -- -n1 >out
permutes out ./-n1
quiet cshuf -zn1 -e a b >out
[[ $(tr -d 'ab' <out | od -An -c) == *'\0'* ]]
