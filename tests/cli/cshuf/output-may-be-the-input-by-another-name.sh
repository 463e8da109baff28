. "$TESTS/cli/cshuf/check.bash"
rows 500 >in
cp in copy
ln -s in link
ln in hard
quiet cshuf -o link in
permutes in copy
[[ -L link ]]
quiet cshuf -o hard in
permutes hard copy
quiet cshuf -o in <in
permutes in copy
