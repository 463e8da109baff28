. "$TESTS/cli/cshuf/check.bash"
mkdir files
rows 3000 >in
split -a 4 -l 1 in files/
cshuf -s 2 in >want
quiet cshuf -s 2 files/* >out
cmp out want
find files -type f -print0 | sort -z | cshuf -s 2 -m 256K --files0-from - | cmp - want
