. "$TESTS/cli/cshuf/check.bash"
printf 'abcdefghij' >in
refuses in -- cshuf --rows fixed:4 in
cat in | refuses . -- cshuf --rows fixed:4
refuses in -- cshuf --rows fixed:11 in
printf 'ab' >2
printf 'cd' >1
refuses . -- cshuf --rows fixed:4 1 2
