. "$TESTS/cli/cshuf/check.bash"
rows 2000 >in
quiet cshuf -s 2 --split a=.5,b=.5 -o '%s' in
if sort -c -n a 2>err; then exit 1; fi
if sort -c -n b 2>err; then exit 1; fi
