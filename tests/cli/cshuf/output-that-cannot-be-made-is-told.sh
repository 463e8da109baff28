. "$TESTS/cli/cshuf/check.bash"
rows 5 >in
mkdir folder
refuses missing/out 'No such file or directory' -- cshuf -o missing/out in
refuses folder 'Is a directory' -- cshuf -o folder in
refuses "''" -- cshuf -o '' in
[[ -z $(ls -A folder) ]]
