"""bench_train - what scripts/bench train-vocab sets beside ctok train: the Python packages.

  bench_train.py lines FILE.jsonl > LINES          the field text of each line
  bench_train.py yttm TEXT SIZE THREADS MODEL      YouTokenToMe's training; prints nothing
  bench_train.py hf TEXT SIZE FILE.json            HF's BpeTrainer, byte level, as GPT-2's
  bench_train.py spm TEXT SIZE PREFIX              SentencePiece's Unigram trainer, identity
  bench_train.py tokens bpe|unigram FILE LINES     prints tokens and bytes of all lines
  bench_train.py version PACKAGE
"""
import json
import sys


def lines(path):
    with open(path, encoding="utf-8", newline="\n") as f:
        return f.read().split("\n")[:-1]


def train_hf(text, size, out):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, show_progress=False,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    # without newlines, as ctok takes lines
    t.train_from_iterator(lines(text), trainer)
    t.save(out)


def train_spm(text, size, prefix):
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        input=text, model_prefix=prefix, vocab_size=size, model_type="unigram",
        normalization_rule_name="identity", max_sentence_length=1 << 20,
        num_threads=2, minloglevel=2)


def tokens(kind, path, text):
    rows = lines(text)
    if kind == "bpe":
        from tokenizers import Tokenizer

        t = Tokenizer.from_file(path)
        n = sum(len(e.ids) for e in t.encode_batch(rows, add_special_tokens=False))
    else:
        import sentencepiece

        n = sum(map(len, sentencepiece.SentencePieceProcessor(model_file=path).encode(rows)))
    print(n, sum(len(row.encode()) for row in rows))


def main(what, *args):
    if what == "lines":
        for row in open(args[0], encoding="utf-8"):
            sys.stdout.write(json.loads(row)["text"].replace("\n", " ") + "\n")
    elif what == "yttm":
        import youtokentome

        youtokentome.BPE.train(data=args[0], model=args[3], vocab_size=int(args[1]),
                               n_threads=int(args[2]), coverage=1)
    elif what == "hf":
        train_hf(args[0], int(args[1]), args[2])
    elif what == "spm":
        train_spm(args[0], int(args[1]), args[2])
    elif what == "tokens":
        tokens(*args)
    elif what == "version":
        from importlib.metadata import version

        print(version(args[0]))
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
