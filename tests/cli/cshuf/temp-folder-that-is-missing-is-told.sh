. "$TESTS/cli/cshuf/check.bash"
rows 60000 >in
refuses 'no-such-folder' 'No such file' -- cshuf -m 256K -T no-such-folder in
