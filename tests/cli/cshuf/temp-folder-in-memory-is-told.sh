. "$TESTS/cli/cshuf/check.bash"
if [[ $(stat -f -c %T /dev/shm) != tmpfs || ! -w /dev/shm ]]; then
    echo "/dev/shm is no tmpfs here, or not for this user" >&2
    exit 77
fi
rows 40000 >in
warning='^cshuf: temporary data goes to /dev/shm, which is held in memory'
for options in '' '-r -n 100'; do
    cshuf -m 256K -T /dev/shm $options -o out in 2>err # known before
    [[ $(wc -l <err) == 1 ]]
    grep -q "$warning" err
done
cat in | cshuf -m 256K -T /dev/shm -o out 2>err # known afterwards
[[ $(wc -l <err) == 1 ]]
grep -q "$warning" err
permutes out in
cshuf -m 256K -T /dev/shm --explain in >plan
grep -q '/dev/shm, .* in memory' plan

quiet cshuf -q -m 256K -T /dev/shm -o out in
quiet cshuf -m 64M -T /dev/shm -o out in
quiet cshuf -m 256K -T /dev/shm -n 0 -o out in
quiet cshuf -T /dev/shm -i 1-100000000 -n 5 -o out
