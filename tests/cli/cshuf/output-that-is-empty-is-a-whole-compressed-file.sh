. "$TESTS/cli/cshuf/check.bash"
quiet cshuf -o out.zst /dev/null
[[ -s out.zst ]]
[[ -z $(zstd -q -dc out.zst) ]]
quiet cshuf -o out.gz /dev/null
[[ -s out.gz ]]
[[ -z $(gzip -dc out.gz) ]]
