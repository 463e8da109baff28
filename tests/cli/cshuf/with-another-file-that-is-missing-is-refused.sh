. "$TESTS/cli/cshuf/check.bash"
rows 100 >text
refuses nope 'No such file' -- cshuf --with nope=nope.out -o out text
refuses with -- cshuf --with text -o out text
[[ $(ls -A) == text ]]
