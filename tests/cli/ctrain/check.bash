# check.bash - what the cases of ctrain share: sourced by them, not a case itself.
. "$TESTS/cli/ctok/check.bash"

# vocabulary: 60 words in vocab.txt, behind the special tokens.
vocabulary() {
    {
        printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' 。
        for a in ka lo mi re su ten; do
            for b in vor na shi qu el ar ost ing un; do echo "$a$b"; done
        done
    } >vocab.txt
}

# lines N SEED: N lines of three sentences in those words, each word mostly told by the one before.
lines() {
    awk -v n="$1" -v x="$2" 'BEGIN {
        k = split("ka lo mi re su ten", a, " ")
        m = split("vor na shi qu el ar ost ing un", b, " ")
        for (i = 1; i <= n; i++) {
            line = ""
            w = i
            for (s = 0; s < 3; s++) {
                for (j = 0; j < 5; j++) {
                    x = x * 16807 % 2147483647
                    w = x % 4 ? (w * 7 + 3) % 54 : x % 54
                    line = line a[1 + int(w / 9)] b[1 + w % 9] " "
                }
                line = line "。"
            }
            print line
        }
    }'
}

# masked N FILE SEED OPTION...: N documents as BERT's samples, for FILE.
masked() {
    local n=$1 to=$2 seed=$3
    shift 3
    lines "$n" "$seed" | ctok encode -V vocab.txt --split-sentences --output=stream -o "$to.tok"
    cmask nsp -V vocab.txt --seq-length=24 "$@" -o "$to" "$to.tok"
}

# little OPTION...: ctrain with a model that is quick to train.
little() {
    quiet ctrain train --model=bert-tiny --layers=1 --hidden=32 --heads=2 --batch=8 --quiet "$@"
}

# value NAME FILE: the number that a line of eval gives, or a member of JSON.
value() {
    if [[ $2 == *.json ]]; then
        sed -n 's/.*"'"$1"'": \([-+.0-9e]*\).*/\1/p' "$2"
    else
        awk -v name="$1" '$1 == name { print $2 }' "$2"
    fi
}

# Five steps of a model that has next to nothing in it, on s.tslrec, which `small` makes.
five=(--data=s.tslrec -n 5 --batch=4 --layers=1 --hidden=16 --heads=2)
small() {
    vocabulary
    masked 60 s.tslrec "${1-5}"
}
