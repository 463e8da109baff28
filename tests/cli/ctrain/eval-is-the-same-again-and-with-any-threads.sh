. "$TESTS/cli/ctrain/check.bash"
vocabulary
masked 100 train.tslrec 5
masked 40 held.tslrec 9
little --data=train.tslrec -n 10 -o run
quiet ctrain eval run --data=held.tslrec -j 1 >one
quiet ctrain eval run --data=held.tslrec -j 1 >again
quiet ctrain eval run/checkpoint-00000010 --data=held.tslrec -j 3 --memory=1M >three
diff one again
diff one three
quiet ctrain eval run --data=held.tslrec --stats=- >e.json
for name in loss mlm_loss mlm_accuracy nsp_loss nsp_accuracy perplexity samples mlm_labels; do
    [[ $(value $name one) == "$(value $name e.json)" ]]
done
[[ $(value samples one) == 67 ]]

# all labels count alike, however they are cut into batches
quiet ctrain eval run --data=held.tslrec --batch=1 >single
quiet ctrain eval run --data=held.tslrec --batch=100 >whole
for name in loss mlm_loss perplexity nsp_loss; do
    awk -v a="$(value $name single)" -v b="$(value $name whole)" \
        'BEGIN { d = (a - b) / b; exit !(d < 1e-6 && d > -1e-6) }'
done
[[ $(value mlm_accuracy single) == "$(value mlm_accuracy whole)" ]]
[[ $(value batches single) == 67 && $(value batches whole) == 1 ]]

# some of it; and no more than there is
quiet ctrain eval run --data=held.tslrec --batch=10 --batches=2 >some
[[ $(value samples some) == 20 ]]
quiet ctrain eval run --data=held.tslrec --batch=10 --batches=1000 >much
[[ $(value samples much) == 67 ]]
