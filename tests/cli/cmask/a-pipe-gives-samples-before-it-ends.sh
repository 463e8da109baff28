# Samples of a pipe come out while it is open, and are those of a file with the same window.
. "$TESTS/cli/cshard/check.bash"
V=$TESTS/data/tokenizers/bert-base-uncased/vocab.txt
for i in 1 2 3 4 5; do cat "$F/bert-instances/docs.jsonl"; done >docs.jsonl
n=$(wc -l <docs.jsonl)
opts=(-q -V "$V" --input=jsonl --output=jsonl --seq-length=64)
for o in nsp sop mlm clm span electra; do
    w=()
    [[ $o == nsp ]] && w=(--window=9)
    cmask $o "${opts[@]}" "${w[@]}" docs.jsonl >file
    cat docs.jsonl | cmask $o "${opts[@]}" "${w[@]}" -j 3 | cmp - file
    mkfifo pipe
    cmask $o "${opts[@]}" "${w[@]}" pipe >early &
    exec 3>pipe
    # as much again and again, until there are samples
    for ((k = 0; k < 400; k++)); do
        cat docs.jsonl >&3
        [[ -s early ]] && break
    done
    [[ -s early ]]
    exec 3>&-
    wait $!
    head -c 300 early | cmp - <(head -c 300 file)
    rm pipe
done
# a window of all is what a file is drawn from; a pipe can have that, too
cmask nsp "${opts[@]}" docs.jsonl >file
cat docs.jsonl | cmask nsp "${opts[@]}" --window=all | cmp - file
cat docs.jsonl | cmask nsp "${opts[@]}" --window=$((n - 1)) | cmp - file
cat docs.jsonl | cmask nsp "${opts[@]}" | cmp - file
refuses '--window' -- cmask mlm --window=3 -V "$V" --input=jsonl docs.jsonl
refuses '--window' -- cmask nsp --window=0 -V "$V" --input=jsonl docs.jsonl
