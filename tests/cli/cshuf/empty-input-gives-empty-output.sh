. "$TESTS/cli/cshuf/check.bash"
: >empty
quiet cshuf empty >out
[[ ! -s out ]]
quiet cshuf </dev/null >out
[[ ! -s out ]]
quiet cshuf -o new empty empty
[[ -e new && ! -s new ]]
zstd -q <empty | quiet cshuf >out
gzip <empty | quiet cshuf >>out
for kind in line nul para fixed:8 u32; do
    quiet cshuf --rows $kind empty >>out
done
[[ ! -s out ]]
