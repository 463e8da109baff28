. "$TESTS/cli/cshuf/check.bash"
rows 50 >in
echo first >out
quiet cshuf in >>out
[[ $(head -n 1 out) == first && $(wc -l <out) == 51 ]]
