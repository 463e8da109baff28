. "$TESTS/cli/cshuf/check.bash"
rows 50 >in
mkdir folder
echo old >folder/target
ln -s folder/target link
quiet cshuf -o link in
[[ -L link && ! -L folder/target ]]
permutes folder/target in
[[ $(ls -A folder) == target ]]
ln -s folder/new dangling
quiet cshuf -o dangling in
[[ -L dangling ]]
permutes folder/new in
