#!/bin/bash
# sweep.sh: run a command once per fault point and sort the outcomes.
# Needs libiofault.so (iofault.c beside this file).  README.md says more.
usage() {
    cat <<'U'
usage: sweep.sh -l LIB -i INPUT [-o OPS] [-d DEED] [-p PATH] [-f FD] [-e EXE]
                [-n TIMES] [-m MAX] [-k FIRST] [-t SECONDS] [-a MIN] [-s SEED]
                [-O] [-x] [-v] -- COMMAND
COMMAND is one shell string.  It sees $IN (the input), $TMP (an empty folder,
also TMPDIR) and $OUT (a name in another empty folder; COMMAND may make it a
folder of results).  Standard input is INPUT.  The result is $OUT when COMMAND
mentions it, else standard output.
  -o OPS   groups of calls to fail        (default io)
  -d DEED  EIO, ENOSPC, short, SIGKILL .. (default EIO)
  -p PATH  only calls on paths with this in them; {TMP} and {OUT} are replaced
  -n TIMES faults per run, 0 for all calls from the point on (default 1)
  -m MAX   at most so many points, spread evenly             (default 400)
  -k FIRST where to start, when not all points are tried     (default 1)
  -a MIN   allocations of at least MIN bytes only
  -s SEED  which bit is flipped
  -O       there is an old $OUT before each run: afterwards it must hold the old
           or the new bytes
  -x       the result must be the same bytes (default: the same lines)
  -v       print each point that went badly
Prints one line: points, and how many ended as
  same     exit 0 and the right result
  refused  exit not 0, a message, nothing left behind
  mute     exit not 0 and no message
  killed   ended by the injected signal
  loss     exit 0 and a wrong result              (must be 0)
  crash    ended by SIGSEGV, SIGABRT, SIGBUS ...  (must be 0) or another signal
           than the injected one
  hang     ran past -t seconds                    (must be 0)
  litter   left a file in the temporary folder    (should be 0)
  torn     exit not 0 and a wrong $OUT left there (should be 0)
  beside   left another name beside $OUT          (should be 0)
  some     exit not 0 and some, not all, of several results are there, whole
  fired    runs in which the fault took place: threads make counts vary
Exit status: 0 if loss, crash and hang are all 0, else 1.
U
}
lib='' input='' ops=io deed=EIO path='' fd='' exe='' times=1 max=400 first=1 limit=20 exact='' loud='' amin='' old='' seed=1
while getopts l:i:o:d:p:f:e:n:m:k:t:a:s:Oxvh c; do
    case $c in
    l) lib=$(realpath "$OPTARG") ;; i) input=$(realpath "$OPTARG") ;;
    o) ops=$OPTARG ;; d) deed=$OPTARG ;; p) path=$OPTARG ;; f) fd=$OPTARG ;;
    e) exe=$OPTARG ;; n) times=$OPTARG ;; m) max=$OPTARG ;; k) first=$OPTARG ;; t) limit=$OPTARG ;;
    a) amin=$OPTARG ;; s) seed=$OPTARG ;; O) old=1 ;; x) exact=1 ;; v) loud=1 ;; h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ -n "$lib" ] && [ -n "$input" ] && [ $# -eq 1 ] || { usage >&2; exit 2; }
cmd=$1
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
export IN=$input TMP=$work/tmp OUT=$work/results/out TMPDIR=$work/tmp
asked=$path; path=${path//\{TMP\}/$TMP}; path=${path//\{OUT\}/$OUT}
case $cmd in *'$OUT'*) result=$OUT ;; *) result=$work/stdout ;; esac
[ -n "$exe" ] || { exe=${cmd%% *}; exe=${exe##*/}; }
shopt -s nullglob dotglob
mkdir "$work/tmp" "$work/results"

sum() { LC_ALL=C sort -S 64M -T "$work" "$1" | sha256sum; }
right() { # is the result at $1 what the clean run made?
    if [ -d "$work/want" ]; then diff -rq "$1" "$work/want" > /dev/null 2>&1
    elif [ -n "$exact" ]; then cmp -s "$1" "$work/want"
    else [ -f "$1" ] && [ "$(sum "$1")" = "$want" ]; fi
}
names() { local f; count=0; for f in "$1"/*; do [ "$f" = "$OUT" ] || count=$((count + 1)); done; }
look_into_folder() { # what is in a folder of results: whole ones, others, other names
    local f w
    whole=0 half='' oddly=''
    for f in "$OUT"/*; do
        w=$work/want/${f##*/}
        if [ ! -e "$w" ]; then oddly=1
        elif cmp -s "$f" "$w"; then whole=$((whole + 1)); else half=1; fi
    done
}
once() { # once DEED AT -> sets rc
    local left=("$TMP"/* "$work/results"/*)
    [ ${#left[@]} -eq 0 ] || rm -rf "${left[@]}"
    [ -z "$old" ] || echo old > "$OUT"
    : > "$work/report"
    IOFAULT_OP=$ops IOFAULT_DO=$1 IOFAULT_AT=$2 IOFAULT_TIMES=$times IOFAULT_SEED=$seed \
    IOFAULT_PATH=$path IOFAULT_FD=$fd IOFAULT_EXE=$exe IOFAULT_ALLOC_MIN=$amin \
    IOFAULT_REPORT=$work/report LD_PRELOAD=$lib \
        timeout -s KILL -k 1 "$limit" bash -c "$cmd" \
        < "$IN" > "$work/stdout" 2> "$work/stderr"
    rc=$?
}
once none 1 2> /dev/null
[ $rc -eq 0 ] || { echo "sweep.sh: the clean run failed with $rc" >&2; cat "$work/stderr" >&2; exit 2; }
mv "$result" "$work/want"
if [ -z "$exact" ] && [ -f "$work/want" ]; then
    want=$(sum "$work/want")
    [ "$want" = "$(sum "$IN")" ] || echo "sweep.sh: note: the clean result is not a permutation of the input's lines" >&2
fi
points=$(sed -n "s/^total exe=$exe .*matched=\([0-9]*\).*/\1/p" "$work/report" 2>/dev/null | sort -n | tail -1)
[ -n "$points" ] || { echo "sweep.sh: no report from $exe (is -e right?)" >&2; exit 2; }
names "$TMP"; clean=$count
all=0; [ ! -d "$work/want" ] || { all=("$work/want"/*); all=${#all[@]}; }
names "$work/results"; clean_beside=$count
declare -A n=([same]=0 [refused]=0 [mute]=0 [killed]=0 [loss]=0 [crash]=0 [hang]=0 [litter]=0 [torn]=0 [beside]=0 [some]=0 [fired]=0)
status=; case $deed in SIG*) status=$((128 + $(kill -l "${deed#SIG}"))) ;; after-SIG*) status=$((128 + $(kill -l "${deed#after-SIG}"))) ;; esac
tried=0; step=1
[ "$points" -le "$max" ] || step=$(( (points + max - 1) / max ))
for ((k = (first - 1) % step + 1; k <= points; k += step)); do
    once "$deed" "$k" 2> /dev/null
    tried=$((tried + 1))
    end='' note='' fired=''
    while read -r line; do [[ $line == fault* ]] && fired=1 && break; done < "$work/report"
    n[fired]=$((n[fired] + ${fired:-0}))
    case $rc in
    132|134|135|136|139|159) end=crash ;;
    137) if [ -n "$fired" ]; then end=killed; else end=hang; fi
         case $deed in SIGKILL|after-SIGKILL|torn) ;; *) end=hang ;; esac ;;
    0) if right "$result"; then end=same; else end=loss; fi ;;
    *) if [ $rc -gt 128 ]; then end=killed; [ -z "$status" ] || [ $rc -eq "$status" ] || end=crash; elif [ -s "$work/stderr" ]; then end=refused; else end=mute; fi ;;
    esac
    n[$end]=$((n[$end] + 1))
    names "$TMP"
    if [ "$count" -gt "$clean" ]; then n[litter]=$((n[litter] + 1)); note=" litter"; fi
    names "$work/results"
    if [ "$count" -gt "$clean_beside" ]; then n[beside]=$((n[beside] + 1)); note="$note beside"; fi
    if [ -d "$OUT" ] && [ -d "$work/want" ]; then
        look_into_folder
        [ -z "$oddly" ] || { n[beside]=$((n[beside] + 1)); note="$note beside"; }
        if [ $rc -ne 0 ]; then
            [ -z "$half" ] || { n[torn]=$((n[torn] + 1)); note="$note torn"; }
            [ "$whole" -eq 0 ] || [ "$whole" -eq "$all" ] || { n[some]=$((n[some] + 1)); note="$note some"; }
        fi
    elif [ $rc -ne 0 ] && [ "$result" = "$OUT" ]; then
        if [ -n "$old" ] && [ "$(head -c 9 "$OUT" 2> /dev/null)" = old ]; then :
        elif [ -e "$OUT" ] || [ -n "$old" ]; then
            right "$OUT" || { n[torn]=$((n[torn] + 1)); note="$note torn"; }
        fi
    fi
    if [ -n "$loud" ]; then
        case $end$note in same|refused|killed) ;; *)
            echo "  at=$k rc=$rc $end$note: $(sed -n 's/^fault [^ ]* [^ ]* //p' "$work/report" | head -1) | $(head -1 "$work/stderr" | cut -c1-120)" ;;
        esac
    fi
done
echo "ops=$ops deed=$deed${asked:+ path=$asked} points=$points tried=$tried same=${n[same]} refused=${n[refused]} mute=${n[mute]} killed=${n[killed]} loss=${n[loss]} crash=${n[crash]} hang=${n[hang]} litter=${n[litter]} torn=${n[torn]} beside=${n[beside]} some=${n[some]} fired=${n[fired]}"
[ $((n[loss] + n[crash] + n[hang])) -eq 0 ]
