. "$TESTS/cli/cshuf/check.bash"
plain_build
(ulimit -v 1500000 && timeout 20 cshuf -i 0-9223372036854775807 -n 1000 >out)
[[ $(sort -u out | wc -l) == 1000 ]]
