. "$TESTS/cli/cshuf/check.bash"
rows 3000 >in
printf '\303\244\n\344\n' >>in
cshuf -s 2 in >want
for locale in C C.UTF-8 en_US.UTF-8 tr_TR.UTF-8; do
    LC_ALL=$locale quiet cshuf -s 2 --sample .9 in >out
    head -n "$(wc -l <out)" want | cmp - out
done
