. "$TESTS/cli/ctrain/check.bash"
vocabulary
masked 40 held.tslrec 9
mkdir theirs
cp "$TESTS/data/train/bert/model.safetensors" theirs
refuses 'theirs/model.safetensors.*config.json' -- ctrain eval theirs --data=held.tslrec
cat >theirs/config.json <<'END'
{"architectures": ["BertForPreTraining"], "model_type": "bert", "vocab_size": 97,
 "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128,
 "hidden_act": "gelu", "max_position_embeddings": 24, "type_vocab_size": 2,
 "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.1}
END
quiet ctrain eval theirs --data=held.tslrec >folder
quiet ctrain eval theirs/model.safetensors --data=held.tslrec >file
diff <(tail -n +2 folder) <(tail -n +2 file)
[[ $(value samples folder) == 67 ]]
# numbers drawn at random know nothing
awk -v x="$(value mlm_loss folder)" 'BEGIN { exit !(x > 4 && x < 6) }'

refuses 'averaged' -- ctrain eval theirs --data=held.tslrec --ema
# a head that is not there is named
sed 's/cls.seq_relationship.weight/cls.seq_relationship.w8ight/' theirs/model.safetensors >x
mv x theirs/model.safetensors
refuses 'theirs.*cls.seq_relationship.weight' -- ctrain eval theirs --data=held.tslrec
# another shape is
sed -i 's/"hidden_size": 32/"hidden_size": 64/' theirs/config.json
refuses 'theirs/model.safetensors.*another shape' -- ctrain eval theirs --data=held.tslrec
refuses 'nothing.*not there' -- ctrain eval nothing --data=held.tslrec
mkdir empty
refuses 'empty.*neither' -- ctrain eval empty --data=held.tslrec
