# A run that was killed anywhere, however often, and goes on with --resume, is the run that was not.
. "$TESTS/cli/ctrain/check.bash"
[[ -e $B/tests/libiofault.so ]] || { echo "no libiofault.so" >&2 && exit 77; }
vocabulary
masked 100 train.tslrec 5
masked 40 other.tslrec 9
training=(--data=train.tslrec -n 30 --save-every=5 --log-every=1 --keep=2 --ema=0.9)

# told RUN: what it measured, without what clocks say.
told() {
    sed -E 's/, "(tokens_per_s|data_wait_s|time)": [^,}]*//g' "$1/metrics.jsonl"
}

# as_whole RUN: it ended as the run that was not interrupted.
as_whole() {
    cmp {whole,"$1"}/checkpoint-00000030/model.safetensors
    cmp {whole,"$1"}/checkpoint-00000030/optimizer.safetensors
    cmp {whole,"$1"}/checkpoint-00000030/config.json
    diff <(told whole) <(told "$1")
    [[ $(ls "$1" | grep -c checkpoint) == 2 ]]
    quiet ctrain eval "$1" --data=other.tslrec >eval.out
    rm -rf "$1"
}

# faulty OP AT DO COMMAND...: the AT-th call of kind OP on a file of the run does that.
faulty() {
    local op=$1 at=$2 do=$3
    shift 3
    LD_PRELOAD=$B/tests/libiofault.so IOFAULT_OP=$op IOFAULT_AT=$at IOFAULT_DO=$do \
        IOFAULT_TIMES=${times:-1} IOFAULT_EXE=ctrain IOFAULT_PATH=cut "$@"
}

run=(ctrain train --model=bert-tiny --layers=1 --hidden=32 --heads=2 --batch=8 --quiet
    "${training[@]}")
quiet "${run[@]}" -o whole -j 1

# killed at calls of all kinds, again and again, each time a little later
for j in 1 3; do
    killed=0
    for at in 2 9 33 34 47 60 61 62 75 76 90 150 300; do
        status=0
        faulty io "$at" SIGKILL "${run[@]}" -j $j -o cut --resume >out 2>err || status=$?
        [[ $status == 0 || $status == 137 ]] || { cat err >&2 && exit 1; }
        [[ $status == 137 ]] || break
        killed=$((killed + 1))
    done
    [[ $killed -ge 5 ]]
    "${run[@]}" -j $j -o cut --resume 2>err
    as_whole cut
done

# killed before and after each rename of the first checkpoints
for at in 1 2 3 4 5; do
    for do in SIGKILL after-SIGKILL; do
        status=0
        faulty rename $at $do "${run[@]}" -o cut >out 2>err || status=$?
        [[ $status == 137 ]]
        "${run[@]}" -o cut --resume 2>err
        as_whole cut
    done
done

# killed from outside, at no chosen place; asked to stop, it writes a checkpoint first
for signal in KILL TERM; do
    "${run[@]}" -o cut --resume >out 2>err &
    while [[ $(cat cut/metrics.jsonl 2>&1 | wc -l) -lt 8 ]]; do sleep 0.02; done
    kill -$signal $! 2>>err || true
    status=0
    wait $! || status=$?
    if [[ $signal == TERM && $status == 1 ]]; then
        at=$(sed -n 's/.*stopped after step \([0-9]*\) of 30; --resume.*/\1/p' err)
        [[ -e cut/checkpoint-$(printf %08d "$at")/state.json ]]
    fi
    "${run[@]}" -o cut --resume 2>err
    as_whole cut
done

# a full disk: an error that says so, and what was whole stays whole
for at in 3 40 60 75; do
    status=0
    times=0 faulty write $at ENOSPC "${run[@]}" -o cut >out 2>err || status=$?
    [[ $status == 1 ]]
    grep -q 'No space left' err
    "${run[@]}" -o cut --resume 2>err
    as_whole cut
done
