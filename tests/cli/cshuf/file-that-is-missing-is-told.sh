. "$TESTS/cli/cshuf/check.bash"
refuses nope 'No such file or directory' -- cshuf nope
rows 5 >in
refuses nope 'No such file or directory' -- cshuf in nope
refuses "''" 'No such file or directory' -- cshuf ''
