# check.bash - what the cases of cshard share: sourced by them, not a case itself.
. "$TESTS/cli/ctok/check.bash"
F=$TESTS/data/formats

# samples N FILE OPTION...: N documents of three sentences as samples of cmask, for FILE.
samples() {
    local n=$1 to=$2
    shift 2
    awk -v n="$n" 'BEGIN {
        for (i = 0; i < n; i++) {
            line = "["
            for (s = 0; s < 3; s++) {
                line = line (s ? ",[" : "[")
                for (k = 0; k < 5 + (i * 7 + s * 3) % 20; k++)
                    line = line (k ? "," : "") 1000 + (i * 131 + s * 17 + k * 7) % 9000
                line = line "]"
            }
            print line "]"
        }
    }' | cmask nsp -V "$TESTS/data/tokenizers/bert-base-uncased/vocab.txt" --input=jsonl \
        --seq-length=64 "$@" -o "$to"
}
