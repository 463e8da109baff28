. "$TESTS/cli/cshuf/check.bash"
rows 20 >in
quiet cshuf --split a=.1,b=.2,c=.7 -o '1%s' in
quiet cshuf --split a=.1,b=.1,c=.1,d=.1,e=.1,f=.1,g=.1,h=.1,i=.1,j=.1 -o '2%s' in
cat 2? >out
permutes out in
