. "$TESTS/cli/ctrain/check.bash"
vocabulary
masked 100 train.tslrec 5
masked 40 held.tslrec 9
little --data=train.tslrec -n 10 --save-every=5 -o plain -j 1
little --data=train.tslrec -n 10 --save-every=5 --log-every=4 -o looked -j 3 \
    --eval=held.tslrec --eval-every=3
for step in 00000005 00000010; do
    cmp {plain,looked}/checkpoint-$step/model.safetensors
    cmp {plain,looked}/checkpoint-$step/optimizer.safetensors
done
[[ $(grep -o '"step": [0-9]*, "eval_loss' looked/metrics.jsonl | tr -dc '0-9\n' | xargs) == '3 6 9 10' ]]
# what it says is what eval says of that checkpoint
quiet ctrain eval looked --data=held.tslrec --batch=8 >e
grep -q "\"step\": 10, \"eval_loss\": $(value loss e), \"eval_accuracy\": $(value mlm_accuracy e)" \
    looked/metrics.jsonl
