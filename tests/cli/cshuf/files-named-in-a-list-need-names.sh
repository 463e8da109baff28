. "$TESTS/cli/cshuf/check.bash"
rows 5 >in
printf 'in\0\0in\0' >list
refuses list -- cshuf --files0-from list
