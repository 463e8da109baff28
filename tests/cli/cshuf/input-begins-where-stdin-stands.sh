. "$TESTS/cli/cshuf/check.bash"
rows 300 >in
{ while IFS= read -r line && [[ $line != '100 '* ]]; do :; done && cshuf; } <in >out
tail -n +101 in | sort | cmp - <(sort out)
