. "$TESTS/cli/cshuf/check.bash"
rows 50 >in
for mode in 640 600 755; do
    echo old >out
    chmod $mode out
    quiet cshuf -o out in
    [[ $(stat -c %a out) == $mode ]]
    permutes out in
    rm -f out
done
