. "$TESTS/cli/cshuf/check.bash"
rows 50 >in
cp in plain.zst
quiet cshuf plain.zst >out
permutes out in
gzip -c in >packed
quiet cshuf packed >out
permutes out in
printf '\037' >in
quiet cshuf in >out
printf '\037\n' | cmp - out
printf '(\265/' >in
quiet cshuf in >out
printf '(\265/\n' | cmp - out
