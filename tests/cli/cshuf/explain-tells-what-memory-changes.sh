. "$TESTS/cli/cshuf/check.bash"
rows 60000 >in
cshuf --explain -s 1 -m 256K in >small
cshuf --explain -s 1 -m 1G in >large
differ small large
