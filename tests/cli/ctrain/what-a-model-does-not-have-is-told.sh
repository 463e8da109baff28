. "$TESTS/cli/ctrain/check.bash"
# Data that do not say how large their vocabulary is.
train=(ctrain --layers=1 --hidden=16 --heads=2 --batch=2 -n 2 --quiet)
good='"input_ids": [5, 6, 7, 8], "labels": [-100, 9, -100, -100]'
echo "{$good}" >good.jsonl
quiet "${train[@]}" --model=bert-tiny --data=good.jsonl -o run
# has NAME MODEL RECORD MESSAGE: the second record has it
has() {
    printf '{%s}\n' "$good" "$3" >"$1.jsonl"
    refuses "record 1 of data set 1: $4" -- "${train[@]}" --model="$2" --data="$1.jsonl"
    [[ $2 != bert-tiny ]] || refuses "$4" -- ctrain eval run --data="$1.jsonl" --batch=2
}
has token bert-tiny '"input_ids": [5, 99999, 7, 8], "labels": [-100, 9, -100, -100]' \
    'token 99999 is not one of the 30522 that the model has'
has masked bert-tiny '"input_ids": [5, 6, 7, 8], "labels": [-100, 99999, -100, -100]' \
    'masked token 99999 is not one of the 30522'
good+=', "next_sentence_label": 1, "token_type_ids": [0, 0, 1, 1], "positions": [0, 1, 2, 3]'
has label bert-tiny "${good/label\": 1/label\": 2}" 'label 2 is not one of the 2'
has position bert-tiny "${good/2, 3/2, 3000}" 'position 3000 is not one of the 512'
refuses 'record 0 of data set 1: segment 1 is not one of the 1' -- \
    "${train[@]}" --model=roberta-tiny --data=label.jsonl
echo '{"input_ids": [5, 6, 70000, 8, 9]}' >ids.jsonl
refuses 'token 70000 is not one of the 50257' -- \
    "${train[@]}" --model=gpt2-tiny --data=ids.jsonl --seq-length=4
