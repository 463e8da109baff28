# check.bash - what the cases of cshuf share: sourced by them, not a case itself.
set -E -eu -o pipefail
trap 'echo "not so, line $LINENO: $BASH_COMMAND" >&2' ERR

# rows N: N different rows of 2 to about 70 bytes, the same ones each time.
rows() {
    awk -v n="$1" 'BEGIN {
        pad = "the quick brown fox jumps over the lazy dog, and then once again 0123"
        for (i = 1; i <= n; i++) print i " " substr(pad, 1, (i * 7919) % 61)
    }'
}

# permutes OUT IN...: OUT holds the lines of IN..., as often as they do, in any order.
permutes() {
    local out=$1
    shift
    sort "$@" >permutes.want
    sort "$out" | cmp - permutes.want
    rm permutes.want
}

# refuses WORD... -- COMMAND...: ends with 1 and no output; the message has all the words in it.
refuses() {
    local words=() rc=0 word tool
    while [[ $1 != -- ]]; do words+=("$1") && shift; done
    shift
    tool=${1##*/}
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

# quiet COMMAND...: ends with 0 and says nothing on stderr.
quiet() {
    "$@" 2>quiet.err || { cat quiet.err >&2 && return 1; }
    [[ ! -s quiet.err ]] || { cat quiet.err >&2 && return 1; }
    rm quiet.err
}

# differ A B: they do not hold the same bytes.
differ() {
    if cmp -s "$1" "$2"; then
        echo "$1 and $2 are the same" >&2
        return 1
    fi
}

# lacks PATTERN FILE: no line of FILE has it.
lacks() {
    if grep -a -e "$1" "$2" >&2; then
        echo "$2 has '$1' in it" >&2
        return 1
    fi
}

# need_nobody: "${nobody[@]}" before a command makes it a user whom file modes bind.
need_nobody() {
    nobody=()
    [[ $(id -u) == 0 ]] || return 0
    nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    if ! "${nobody[@]}" cshuf --version >need_nobody.out 2>&1; then
        echo "root may do everything, and no other user can run the tools here" >&2
        exit 77
    fi
    rm need_nobody.out
}

# plain_build: skips the case under a sanitizer, which wants memory of its own.
plain_build() {
    if [[ ${B-} == */[atu]*san ]]; then
        echo "a sanitizer needs more memory than this case allows" >&2
        exit 77
    fi
}
