# check.bash - what the cases of ctok share: sourced by them, not a case itself.
. "$TESTS/cli/cshuf/check.bash"

# tiny: a vocabulary of BERT's kind in vocab.txt; ids are line numbers from 0.
tiny() {
    printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' the quick brown fox '##es' jump '##ed' \
        over . , '!' 你 好 。 a b c '##c' he left >vocab.txt
}

# gpt2: GPT-2's own vocabulary in the folder gpt2.
gpt2() {
    mkdir gpt2
    gzip -dc "$TESTS/data/tokenizers/gpt2/vocab.json.gz" >gpt2/vocab.json
    gzip -dc "$TESTS/data/tokenizers/gpt2/merges.txt.gz" >gpt2/merges.txt
}

# texts N: N lines of English and Chinese, the same ones each time; some empty, some long.
texts() {
    awk -v n="$1" 'BEGIN {
        split("the quick brown foxes jumped over . , ! 你好。 他 unknown a b c, (he) \"left\"? 3.14", w, " ")
        for (i = 1; i <= n; i++) {
            k = i % 97 == 0 ? 2000 : (i * 7919) % 23
            line = ""
            for (j = 0; j < k; j++) line = line (j ? " " : "") w[1 + (i * 31 + j * j * 7 + j) % 18]
            print line
        }
    }'
}

# novel N: N lines of some 1500 different words, few of them often; always the same lines.
novel() {
    awk -v n="$1" 'BEGIN {
        k = split("ka lo mi re su ten vor na shi qu el ar ost ing un 国 人 中 学 生", syllable, " ")
        m = split(". , ! ? 。 : -", mark, " ")
        x = 1
        for (i = 1; i <= n; i++) {
            line = ""
            for (j = 0; j < 12; j++) {
                x = x * 16807 % 2147483647
                w = int(exp(x / 2147483647 * log(1500)))
                word = w % 7 == 0 ? "The" : ""
                for (; w > 0; w = int(w / k)) word = word syllable[1 + w % k]
                line = line (j ? " " : "") word (x % 6 == 0 ? mark[1 + x % m] : "")
            }
            print line (i % 50 == 0 ? " 42 1999 3.14" : "")
        }
    }'
}

# jsonl: lines of standard input as {"id":N,"text":"..."}.
jsonl() {
    awk '{ gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); gsub(/\t/, "\\t")
        printf "{\"id\":%d,\"text\":\"%s\"}\n", NR, $0 }'
}

# refuses WORD... -- COMMAND...: ends with 1 and no output; the message has all the words in it.
refuses() {
    local words=() rc=0 word tool
    while [[ $1 != -- ]]; do words+=("$1") && shift; done
    shift
    tool=${1##*/}
    case ${2-} in encode | decode | inspect | train | count | eval | sample | fill) tool+=" $2" ;; esac
    "$@" >refuses.out 2>refuses.err || rc=$?
    if [[ $rc != 1 ]]; then
        echo "exit status $rc, expected 1: $*" >&2
        cat refuses.err >&2
        return 1
    fi
    [[ ! -s refuses.out ]]
    head -n 1 refuses.err | grep -q "^$tool: " || { cat refuses.err >&2 && return 1; }
    for word in ${words+"${words[@]}"}; do
        grep -qi -e "$word" refuses.err ||
            { echo "no word of '$word' from: $*" && cat refuses.err && return 1; } >&2
    done
    rm refuses.out refuses.err
}

# is TEXT COMMAND...: the command is quiet and prints TEXT.
is() {
    local want=$1
    shift
    quiet "$@" >is.out
    diff -a -u --label expected <(printf '%s' "$want") --label actual is.out >&2
    rm is.out
}
