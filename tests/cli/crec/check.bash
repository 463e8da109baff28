# check.bash - what the cases of crec share: sourced by them, not a case itself.
. "$TESTS/cli/ctok/check.bash"

# docs N: N texts, none of them empty.
docs() {
    texts "$1" | sed 's/^$/the/'
}

# stream FILE N [OPTION]...: a token stream of them.
stream() {
    local file=$1 n=$2
    shift 2
    tiny
    docs "$n" | ctok encode -V vocab.txt --output=stream -o "$file" "$@"
}

# refuses WORD... -- COMMAND...: ends with 1 and no output; the message has all the words in it.
refuses() {
    local words=() word
    while [[ $1 != -- ]]; do words+=("$1") && shift; done
    shift
    exits 1 "$@"
    [[ ! -s out ]]
    head -n 1 err | grep -q '^crec' || { cat err >&2 && return 1; }
    for word in "${words[@]}"; do
        grep -qi -e "$word" err || { echo "no word of '$word' from: $*" && cat err && return 1; } >&2
    done
}

# exits STATUS COMMAND...: it ends with that; stdout in out, stderr in err.
exits() {
    local want=$1 rc=0
    shift
    "$@" >out 2>err || rc=$?
    [[ $rc == "$want" ]] || { echo "exit status $rc, expected $want: $*" && cat err && return 1; } >&2
}
