. "$TESTS/cli/ctok/check.bash"
tiny
echo 'the fox' >in
quiet ctok encode -V vocab.txt --output=stream in >in.tok
echo more >>vocab.txt
refuses 'in.tok: was made with another vocabulary' -- ctok decode -V vocab.txt --input=stream in.tok
refuses 'this is no token stream' -- ctok decode -V vocab.txt --input=stream in
