. "$TESTS/cli/cshuf/check.bash"
for n in x -1 '' 1k; do refuses header -- cshuf --header "$n" /dev/null; done
