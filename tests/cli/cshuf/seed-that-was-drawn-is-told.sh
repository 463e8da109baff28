. "$TESTS/cli/cshuf/check.bash"
rows 2000 >in
quiet cshuf --stats stats in >a
seed=$(grep -o '"seed": *"\{0,1\}[0-9]*' stats | grep -o '[0-9]*$')
cshuf -s "$seed" in | cmp - a
cshuf -v in >a 2>err
seed=$(grep -o 'seed [0-9]*' err)
seed=${seed#seed }
cshuf -s "$seed" in | cmp - a
