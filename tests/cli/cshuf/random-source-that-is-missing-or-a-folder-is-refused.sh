. "$TESTS/cli/cshuf/check.bash"
refuses nope 'No such file' -- cshuf --random-source=nope -i 1-9
mkdir folder
refuses folder 'Is a directory' -- cshuf --random-source=folder -i 1-9
