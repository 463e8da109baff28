. "$TESTS/cli/cshuf/check.bash"
{ echo head && rows 1000; } >in
quiet cshuf --header 1 --split a=.5,b=.5 -o '%s.txt' in
[[ $(head -n 1 a.txt) == head && $(head -n 1 b.txt) == head ]]
{ echo head && sed -s 1d a.txt b.txt; } >out
permutes out in
