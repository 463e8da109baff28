. "$TESTS/cli/cshuf/check.bash"
for codec in x '' zstd:x zstd: none:1 zstd:99; do
    refuses compress -- cshuf --compress "$codec" -e a
done
refuses compress-temp -- cshuf --compress-temp x -e a
