. "$TESTS/cli/ctok/check.bash"
plain_build
tiny
echo the >in
refuses 'are too little' '(-m ' -- ctok encode -V vocab.txt -m 1M in
m=$({ ctok encode -V vocab.txt -m 1M in 2>&1 || true; } | sed -n 's/.*(-m \(.*\))/\1/p')
is $'5\n' ctok encode -V vocab.txt -m "$m" in
