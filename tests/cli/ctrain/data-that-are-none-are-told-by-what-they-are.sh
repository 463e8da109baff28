. "$TESTS/cli/ctrain/check.bash"
echo 'no ids at all' >text.txt
refuses 'text.txt: ' -- ctrain --data=text.txt -n 5
echo '{"id": 1, "text": "words"}' >text.jsonl
refuses 'text.jsonl: it has no token ids' 'its columns are id, text' -- ctrain --data=text.jsonl -n 5
echo '{"input_ids": [5, 6, 7]}' >ids.jsonl
refuses 'say how long (--seq-length)' -- ctrain --data=ids.jsonl -n 5
: >empty.jsonl
refuses 'empty.jsonl' -- ctrain --data=empty.jsonl -n 5
# a file that is damaged is named once
small
printf 'xxxx' | dd of=s.tslrec bs=1 seek=1500 conv=notrunc status=none
refuses '^ctrain: s.tslrec: record 0: byte [0-9]*: block' -- ctrain "${five[@]}"
! grep -q "s.tslrec.*s.tslrec" refuses.err
