. "$TESTS/cli/cshuf/check.bash"
rows 50 >in
refuses missing/stats -- cshuf --stats missing/stats -o out in
