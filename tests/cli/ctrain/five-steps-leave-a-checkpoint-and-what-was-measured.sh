. "$TESTS/cli/ctrain/check.bash"
small
quiet ctrain "${five[@]}" -o run --log-every=1 --stats=stats.json
[[ $(ls run | grep checkpoint) == $(printf 'checkpoint-0000000%d\n' 3 4 5) ]]
[[ $(ls run/checkpoint-00000005) == $(printf '%s\n' config.json model.safetensors \
    optimizer.safetensors state.json) ]]
[[ $(wc -l <run/metrics.jsonl) == 5 ]]
grep -q '^{"step": 5, "loss": [0-9.]*, "mlm_loss": .*"nsp_loss": ' run/metrics.jsonl
grep -q '"tool": "ctrain"' stats.json
grep -q '"steps": 5' stats.json
grep -q '</html>' run/report.html
ctrain "${five[@]}" -o other -v 2>told
grep -q '^ctrain: step 5: loss ' told
tail -n 1 told | grep -q '^ctrain: 5 steps, [0-9]* tokens, loss .* to checkpoint-00000005$'
# initial weights as wide as asked for
quiet ctrain --data=s.tslrec -n 0 --initializer-range=0.08 -o wide
quiet ctrain --data=s.tslrec -n 0 -o usual
grep -q "\"initializer_range\": 0.08[,}]*$" wide/checkpoint-00000000/config.json
! cmp -s {wide,usual}/checkpoint-00000000/model.safetensors
