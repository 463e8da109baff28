. "$TESTS/cli/cshuf/check.bash"
rows 20000 >in
mkdir 1 2 3
quiet cshuf -s 2 --split a=.5,b=.3,c=.2 -o '1/%s' in
cat in | quiet cshuf -s 2 --split a=.5,b=.3,c=.2 -o '2/%s' -m 256K -j 1
quiet cshuf -s 2 --split a=.5,b=.3,c=.2 -o '3/%s' -m 1M -j 4 in
diff -r 1 2
diff -r 1 3
