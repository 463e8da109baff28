. "$TESTS/cli/cshuf/check.bash"
refuses nope 'No such file' -- cshuf --files0-from nope
printf 'nope\0' >list
refuses nope 'No such file' -- cshuf --files0-from list
