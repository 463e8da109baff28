#!/bin/bash
# battery.sh: the same unpleasant situations for any line shuffler.
# One tab-separated line per case: case, exit, verdict, files left, message.
usage() {
    cat <<'U'
usage: RUN='...' [RUNFILE='...'] [RUNOUT='...'] battery.sh [-l LIB] [-b BYTES] [-c CASES]
RUN      shell string: standard input to standard output; $TMP is the folder for
         temporary files (also TMPDIR).  Give it about 8 MiB of memory, so that
         the input of -b bytes (default 40 MB) has to go to disk.
RUNFILE  the same, reading the file $IN.  RUNOUT: reading $IN, writing $OUT.
EXE      the program's short name (default: first word of RUN)
  -l LIB    libiofault.so, for the cases with injected errors
  -b BYTES  size of the ordinary input
  -c CASES  only these, comma separated; -c list prints the names
Mounts small tmpfs file systems, so some cases need root; they are skipped else.
Verdicts: right   exit 0 and every line there once
          WRONG   exit 0 and lines lost, doubled or altered
          failed  exit not 0 (N% of the lines had been written)
          killed  ended by a signal      hang  stopped after 300 s
U
}
lib='' size=40000000 only=''
while getopts l:b:c:h c; do
    case $c in l) lib=$(realpath "$OPTARG") ;; b) size=$OPTARG ;; c) only=$OPTARG ;;
    h) usage; exit 0 ;; *) usage >&2; exit 2 ;; esac
done
[ -n "$RUN" ] || [ "$only" = list ] || { usage >&2; exit 2; }
: "${RUNFILE:=$RUN < \"\$IN\"}" "${RUNOUT:=$RUN < \"\$IN\" > \"\$OUT\"}"
for w in $RUN; do [[ $w == *=* ]] || break; done     # skip VAR=value words
: "${EXE:=${w##*/}}"
work=$(mktemp -d "${BATTERY_DIR:-${TMPDIR:-/tmp}}/battery.XXXXXX") || exit 2
mounts=
cleanup() { for m in $mounts; do umount -l "$m" 2> /dev/null; done; rm -rf "$work"; }
trap cleanup EXIT
export TMP=$work/tmp OUT=$work/out/result IN=$work/in
export TMPDIR=$TMP
mkdir "$work/out"

gen() { # gen BYTES: distinct lines of uneven length
    awk -v n="$1" 'BEGIN { s = "the quick brown fox jumps over the lazy dog and back again over it ";
        for (i = 0; t < n; i++) { l = sprintf("%d %s", i, substr(s, 1, (i * 7919) % 60)); t += length(l) + 1; print l } }'
}
key() { LC_ALL=C sort -S 256M -T "$work" "$@" | sha256sum; }
fresh() { rm -rf "$TMP"; mkdir -m 700 "$TMP"; rm -f "$OUT" "$work/o" "$work/e"; }
tiny() { mkdir -p "$1" && mount -t tmpfs -o "size=$2" tmpfs "$1" 2> /dev/null && mounts="$mounts $1"; } # size in bytes
alive_files() { find "$1" -mindepth 1 2> /dev/null | wc -l; }
say() { # say CASE RC RESULTFILE WANTKEY [LEFT]
    local verdict have total left=${5:-$(alive_files "$TMP")}
    total=$(wc -l < "${REF:-$IN}")
    have=$(wc -l < "$3" 2> /dev/null || echo 0)
    if [ "$2" -eq 0 ]; then
        if [ "$(key "$3" 2> /dev/null)" = "$4" ]; then verdict=right; else verdict="WRONG ($have of $total lines)"; fi
    elif [ "$2" -eq 137 ] && [ -n "$HANGCASE" ]; then verdict=hang
    elif [ "$2" -gt 128 ]; then verdict="killed ($((total ? have * 100 / total : 0))%)"
    else verdict="failed ($((total ? have * 100 / total : 0))%)"; fi
    printf '%s\t%s\t%s\tleft=%s\t%s\n' "$1" "$2" "$verdict" "$left" \
        "$(tr '\r' '\n' < "$work/e" 2> /dev/null | grep -v '^$' | grep -v -e '^\[1\]' -e '^bash:.*Terminated' -e '^bash:.*Killed' | tail -1 | cut -c1-150 | sed "s#$work#.#g")"
}
go() { # go COMMAND: limited run, sets rc
    HANGCASE=1
    timeout -s KILL 300 bash -c "$1" < "${STDIN:-$IN}" > "${STDOUT:-$work/o}" 2> "$work/e"; rc=$?
}
want_all=
case_plain() { fresh; go "$RUN"; say plain $rc "$work/o" "$want_all"; }
case_tempfull() { # the temporary folder holds a tenth of the input
    rm -rf "$TMP"; tiny "$TMP" $((size / 10)) || { echo "tempfull	skipped: no mount"; return; }
    rm -f "$work/o"; go "$RUN"; say tempfull $rc "$work/o" "$want_all"; umount "$TMP"; }
case_tempmissing() { fresh; rmdir "$TMP"; go "$RUN"; say tempmissing $rc "$work/o" "$want_all"; }
case_tempreadonly() {
    rm -rf "$TMP"; tiny "$TMP" 4m && mount -o remount,ro "$TMP" || { echo "tempreadonly	skipped: no mount"; return; }
    rm -f "$work/o"; go "$RUN"; say tempreadonly $rc "$work/o" "$want_all"; umount "$TMP"; }
case_devfull() { fresh; STDOUT=/dev/full go "$RUN"; : > "$work/o"; say devfull $rc "$work/o" "$want_all"; }
case_devfullsmall() { # so little output that it stays in a buffer until exit
    fresh; head -c 2000 "$IN" | head -n -1 > "$work/small"; REF=$work/small STDIN=$work/small STDOUT=/dev/full go "$RUN"
    : > "$work/o"; REF=$work/small say devfullsmall $rc "$work/o" "$(key "$work/small")"; }
case_outfull() { # the result does not fit on its file system
    fresh; tiny "$work/of" $((size / 5)) || { echo "outfull	skipped: no mount"; return; }
    local keep=$OUT; export OUT=$work/of/result; go "$RUNOUT"
    printf 'outfull: result file is %s bytes\n' "$(stat -c %s "$OUT" 2> /dev/null || echo absent)" >> "$work/notes"
    say outfull $rc "$OUT" "$want_all"; export OUT=$keep; umount "$work/of"; }
case_stdoutclosed() { fresh; go "{ $RUN; } >&-"; : > "$work/o"; say stdoutclosed $rc "$work/o" "$want_all"; }
case_stdinclosed() { fresh; go "{ $RUN; } <&-"; say stdinclosed $rc "$work/o" "$want_all"; }
case_sigpipe() { fresh; HANGCASE=
    timeout -s KILL 300 bash -c "{ $RUN; } | head -1; exit \${PIPESTATUS[0]}" < "$IN" > "$work/o" 2> "$work/e"; rc=$?
    say sigpipe $rc "$work/o" "$want_all"; }
mid() { # mid SIGNAL: while the program reads, three quarters of the input in
    fresh; HANGCASE=
    mkfifo "$work/slow"
    ( head -c $((size * 3 / 4)) "$IN"; exec sleep 60 ) > "$work/slow" & local feeder=$!
    start_group
    local before; before=$(alive_files "$TMP")
    kill -"$1" -- "-$group" 2> /dev/null
    end_group
    kill $feeder 2> /dev/null; wait $feeder 2> /dev/null
    rm -f "$work/slow"
    echo "$1: $before temporary names at the signal" >> "$work/notes"
    say "sig$1" $rc "$work/o" "$want_all"
}
start_group() { # runs RUN on the fifo in a process group of its own
    env --default-signal=INT,QUIT,HUP,TERM,PIPE setsid bash -c "umask ${1:-022}; echo \$\$ > '$work/pid'; exec 2> '$work/e'; trap : INT TERM HUP; { $RUN; }; exit \$?" \
        < "$work/slow" > "$work/o" & shell=$!
    sleep 2.5
    group=$(cat "$work/pid")
}
end_group() { # sets rc; waits until the whole group is gone
    wait $shell 2> /dev/null; rc=$?
    for _ in $(seq 1 100); do pgrep -g "$group" > /dev/null || break; sleep 0.1; done
}
case_KILL() { mid KILL; }; case_TERM() { mid TERM; }; case_INT() { mid INT; }; case_HUP() { mid HUP; }
case_temppeek() { # who may read the temporary data while the program runs?
    fresh; mkfifo "$work/slow"
    ( head -c $((size * 3 / 4)) "$IN"; exec sleep 60 ) > "$work/slow" & local feeder=$!
    start_group 000
    printf 'temppeek\t-\tnames=%s modes=%s open-unlinked=%s\t%s\n' "$(alive_files "$TMP")" \
        "$(find "$TMP" -type f -printf '%m ' | tr ' ' '\n' | sort -u | tr '\n' ' ')" \
        "$(for p in $(pgrep -g "$group"); do find /proc/$p/fd -lname '*(deleted)' 2> /dev/null; done | wc -l)" \
        "$(ls "$TMP" | head -1)"
    kill -TERM -- "-$group"; end_group; kill $feeder 2> /dev/null; wait $feeder 2> /dev/null; rm -f "$work/slow"; }
case_missing() { fresh; local keep=$IN; export IN=$work/nosuch; HANGCASE=1
    timeout -s KILL 60 bash -c "$RUNFILE" > "$work/o" 2> "$work/e"; rc=$?; export IN=$keep; say missing $rc "$work/o" "$want_all"; }
case_directory() { fresh; local keep=$IN; export IN=$work
    timeout -s KILL 60 bash -c "$RUNFILE" > "$work/o" 2> "$work/e"; rc=$?; export IN=$keep; say directory $rc "$work/o" "$want_all"; }
case_shrinks() { # the input is cut to a tenth while it is read
    fresh; cp "$IN" "$work/shrink"; local keep=$IN; export IN=$work/shrink
    [ -z "$lib" ] || export IOFAULT_OP=read IOFAULT_DO=delay=800 IOFAULT_AT=2 IOFAULT_PATH=$IN IOFAULT_EXE=$EXE
    LD_PRELOAD=$lib bash -c "$RUNFILE" > "$work/o" 2> "$work/e" & local p=$!
    sleep 0.4; truncate -s $((size / 10)) "$work/shrink"; wait $p; rc=$?; export IN=$keep
    unset IOFAULT_OP IOFAULT_DO IOFAULT_AT IOFAULT_PATH IOFAULT_EXE
    say shrinks $rc "$work/o" "$want_all"; rm -f "$work/shrink"; }
case_nonewline() { fresh; printf 'b\na\nlast' > "$work/x"; REF=$work/x STDIN=$work/x go "$RUN"
    printf 'b\na\nlast\n' > "$work/y"; REF=$work/x say nonewline $rc "$work/o" "$(key "$work/y")"; }
case_nonewlinebig() { fresh; { cat "$IN"; printf 'last'; } > "$work/x"; { cat "$IN"; echo last; } > "$work/y"
    REF=$work/y STDIN=$work/x go "$RUN"; REF=$work/y say nonewlinebig $rc "$work/o" "$(key "$work/y")"; rm -f "$work/x" "$work/y"; }
case_empty() { fresh; REF=/dev/null STDIN=/dev/null go "$RUN"; REF=/dev/null say empty $rc "$work/o" "$(key /dev/null)"; }
bytes() { # bytes NAME FILE
    fresh; REF=$2 STDIN=$2 go "$RUN"; REF=$2 say "$1" $rc "$work/o" "$(key "$2")"; rm -f "$2"; }
case_nul() { awk 'NR % 3 == 0 { printf "%s%c%s\n", $0, 0, "after"; next } 1' "$IN" > "$work/x"; bytes nul "$work/x"; }
case_ff() { LC_ALL=C sed 's/7/\xff/' "$IN" > "$work/x"; bytes byteff "$work/x"; }
case_crlf() { sed 's/$/\r/' "$IN" > "$work/x"; bytes crlf "$work/x"; }
case_emptylines() { { cat "$IN"; yes '' | head -100000; } > "$work/x"; bytes emptylines "$work/x"; }
case_locale() { LC_ALL=C sed 's/1/\xe2\x82/; s/2/\xc3\x28/' "$IN" > "$work/x"; LC_ALL=C.UTF-8 bytes badutf8 "$work/x"; }
case_duplicates() { # equal lines must not come out side by side
    fresh; for i in $(seq 1 20000); do echo a; echo b; done > "$work/x"; REF=$work/x STDIN=$work/x go "$RUN"
    local runs; runs=$(uniq "$work/o" | wc -l)
    REF=$work/x say "duplicates(runs=$runs,random=20000)" $rc "$work/o" "$(key "$work/x")"; rm -f "$work/x"; }
case_longline() { # one line of 100 MB, far over the memory setting
    fresh; { echo first; head -c 100000000 /dev/zero | tr '\0' x; echo; echo last; } > "$work/x"
    REF=$work/x STDIN=$work/x go "$RUN"; REF=$work/x say longline100M $rc "$work/o" "$(key "$work/x")"; rm -f "$work/x"; }
case_hugeline() { # one line of 1 GB in a process that may map 600 MB
    fresh; { echo first; head -c 1000000000 /dev/zero | tr '\0' x; echo; echo last; } > "$work/x"
    REF=$work/x STDIN=$work/x go "ulimit -v 600000; $RUN"
    # sort cannot compare it: the size, and what is there beside the x
    [ "$(stat -c %s "$work/o")" -ne "$(stat -c %s "$work/x")" ] || LC_ALL=C tr -d x < "$work/o" > "$work/y"
    printf 'first\n\nlast\n' > "$work/x"; rm -f "$work/o"
    REF=$work/x say hugeline1G $rc "$work/y" "$(key "$work/x")"; rm -f "$work/x" "$work/y"; }
case_fds() { fresh; go "ulimit -n 16; $RUN"; say "nofile16" $rc "$work/o" "$want_all"; }
case_fds6() { fresh; go "ulimit -n 6; $RUN"; say "nofile6" $rc "$work/o" "$want_all"; }
case_memory() { fresh; go "ulimit -v 30000; $RUN"; say "vm30MB" $rc "$work/o" "$want_all"; }
case_fsize() { fresh; go "ulimit -f 1000; $RUN"; say "filesize1MB" $rc "$work/o" "$want_all"; }
case_badupstream() { # a corrupt .zst upstream, in a pipe without pipefail
    fresh; zstd -q -c "$IN" > "$work/z"; printf '\0\0\0\0' | dd of="$work/z" bs=1 seek=$(( $(stat -c %s "$work/z") / 2 )) conv=notrunc 2> /dev/null
    go "zstd -dc '$work/z' 2> /dev/null | { $RUN; }"; say badupstream $rc "$work/o" "$want_all"
    go "set -o pipefail; zstd -dc '$work/z' 2> /dev/null | { $RUN; }"; say badupstream+pipefail $rc "$work/o" "$want_all"; rm -f "$work/z"; }
case_badzst() { # the same file given by name; right only if the tool reads .zst
    fresh; zstd -q -c "$IN" > "$work/x.zst"; local keep=$IN; export IN=$work/x.zst
    timeout -s KILL 60 bash -c "$RUNFILE" > "$work/o" 2> "$work/e"; rc=$?; export IN=$keep; say zst-by-name $rc "$work/o" "$want_all"; rm -f "$work/x.zst"; }
case_outisin() { fresh; cp "$IN" "$work/x"; local ki=$IN ko=$OUT; export IN=$work/x OUT=$work/x
    timeout -s KILL 100 bash -c "$RUNOUT" > /dev/null 2> "$work/e"; rc=$?; export IN=$ki OUT=$ko; say out-is-in $rc "$work/x" "$want_all"; rm -f "$work/x"; }
case_symlinkout() { # -o names a link to somebody else's file
    fresh; echo precious > "$work/precious"; ln -sf "$work/precious" "$OUT"; go "$RUNOUT"
    printf 'symlinkout: target now %s bytes, result is a %s\n' "$(stat -c %s "$work/precious")" "$(stat -c %F "$OUT")" >> "$work/notes"
    say symlinkout $rc "$OUT" "$want_all"; rm -f "$OUT"; }
case_killout() { # SIGKILL while the result file is being written
    fresh; echo old > "$OUT"; HANGCASE=
    bash -c "$RUNOUT" > /dev/null 2> "$work/e" & local p=$!
    for _ in $(seq 1 600); do [ "$(stat -c %s "$OUT" 2> /dev/null || echo 0)" -gt 1000 ] && break; kill -0 $p 2> /dev/null || break; sleep 0.01; done
    pkill -KILL -P $p -x "$EXE" 2> /dev/null; kill -KILL $p 2> /dev/null; wait $p 2> /dev/null; rc=$?
    printf 'killout: old file now %s bytes\n' "$(stat -c %s "$OUT" 2> /dev/null || echo absent)" >> "$work/notes"
    say killout $rc "$OUT" "$want_all"; }
inject() { # inject NAME OPS DEED PATH AT TIMES [FD]
    [ -n "$lib" ] || { echo "$1	skipped: no -l"; return; }
    fresh; rm -f "$work/r"
    export IOFAULT_OP=$2 IOFAULT_DO=$3 IOFAULT_PATH=$4 IOFAULT_AT=$5 IOFAULT_TIMES=$6 IOFAULT_FD=$7 IOFAULT_EXE=$EXE IOFAULT_REPORT=$work/r
    HANGCASE=1
    LD_PRELOAD=$lib timeout -s KILL 300 bash -c "$RUN" < "$IN" > "$work/o" 2> "$work/e"; rc=$?
    unset IOFAULT_OP IOFAULT_DO IOFAULT_PATH IOFAULT_AT IOFAULT_TIMES IOFAULT_FD IOFAULT_EXE IOFAULT_REPORT
    grep -q ^fault "$work/r" 2> /dev/null || { printf '%s\t-\tnot reached\n' "$1"; return; }
    say "$1" $rc "$work/o" "$want_all"; }
case_inputEIO() { inject inputEIO read EIO "$IN" 2 1; }
case_tempEIO() { inject tempreadEIO read EIO "$TMP" 5 1; }
case_tempENOSPC() { inject tempwriteENOSPC write ENOSPC "$TMP" 5 0; }
case_tempflip() { inject tempbitflip read flip "$TMP" 5 1; }
case_shortio() { inject shortreads+writes read,write short '' 1 0; }
case_eintr() { inject outputEINTR write EINTR '' 50 1 1; }
case_nomem() { inject thirdmallocfails alloc ENOMEM '' 3 1; }
list=$(declare -F | sed -n 's/^declare -f case_//p')
[ "$only" != list ] || { echo $list; exit 0; }
gen "$size" > "$IN"; want_all=$(key "$IN")
for c in ${only:+${only//,/ }} ${only:-plain tempfull tempmissing tempreadonly devfull devfullsmall outfull stdoutclosed stdinclosed sigpipe KILL TERM INT HUP temppeek killout missing directory shrinks nonewline nonewlinebig empty nul ff crlf emptylines locale duplicates longline hugeline fds fds6 memory fsize badupstream badzst outisin symlinkout inputEIO tempEIO tempENOSPC tempflip shortio eintr nomem}; do
    [ -z "$only" ] || case ",$only," in *",$c,"*) ;; *) continue ;; esac
    [ -z "${done_cases[*]}" ] || [[ " ${done_cases[*]} " != *" $c "* ]] || continue
    done_cases+=("$c")
    "case_$c" 2> /dev/null
done
[ ! -s "$work/notes" ] || sed 's/^/# /' "$work/notes"
