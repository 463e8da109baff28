. "$TESTS/cli/cshard/check.bash"
quiet cshard -f jsonl -o plain "$F/mds/raw_multishard"
for f in native mds webdataset jsonl; do
    quiet cshard -f $f --shards=3 -o set-$f "$F/mds/raw_multishard"
    [[ $(find set-$f -name '*00002*' | wc -l) -ge 1 ]]
    quiet crec verify set-$f
    quiet crec count set-$f >n
    [[ $(<n) == 60 ]]
done
crec diff set-native "$F/mds/raw_multishard"
crec diff set-mds "$F/mds/raw_multishard"
crec diff set-jsonl plain
# numbers alone: .npy and tf.train.Example
quiet cshard -f tfrecord --shards=2 -o set-tf "$F/tfrecord/bert_tf_examples.tfrecord"
quiet cshard -f npy --shard-rows=7 -o set-npy "$F/tfrecord/bert_tf_examples.tfrecord"
crec diff set-tf "$F/tfrecord/bert_tf_examples.tfrecord"
crec diff set-npy "$F/tfrecord/bert_tf_examples.tfrecord"
[[ $(ls set-npy/*.input_ids.npy | wc -l) == 9 ]]
# ids alone: the same bytes as the peers'
quiet cshard -f megatron --layout=sentence -o mg "$F/megatron/synthetic_sentence_u16.idx"
cmp mg/part-00000.bin "$F/megatron/synthetic_sentence_u16.bin"
cmp mg/part-00000.idx "$F/megatron/synthetic_sentence_u16.idx"
quiet cshard -f llmc -o llmc "$F/llmc/gpt2_1000.bin"
cmp llmc/part-00000.bin "$F/llmc/gpt2_1000.bin"
quiet cshard -f datatrove -o ds mg
quiet cshard -f megatron -o mg2 ds
cmp mg2/part-00000.bin mg/part-00000.bin
