"""bench_peers - what scripts/bench ctok sets beside ctok: the Python packages.

  bench_peers.py lines FILE.jsonl > LINES       the field text of each line
  bench_peers.py prepare PEER VOCAB FILE        what the peer loads, made once
  bench_peers.py encode PEER FILE LINES [IDS]   prints seconds and CPU seconds of encoding
                                                all lines once, one thread, nothing else;
                                                or writes IDS, as ctok does
  bench_peers.py version PEER

PEER is PACKAGE or PACKAGE:WHAT.
"""
import base64
import gzip
import json
import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

BATCH = 1000  # lines a call of HF's encode_batch
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def read(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
        return f.read()


def byte_letters():
    """GPT-2's letter for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(rest)}}


def find(folder, *names):
    for name in names:
        for path in (os.path.join(folder, name), os.path.join(folder, name + ".gz")):
            if os.path.exists(path):
                return path
    sys.exit(f"{folder}: none of {names}")


# --- HF tokenizers: everything becomes a tokenizer.json --------------------------------


def hf_bert(folder):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    text = read(find(folder, "vocab.txt")).decode()
    vocab = {token: i for i, token in enumerate(text.rstrip("\n").split("\n"))}
    t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return t


def hf_gpt2(folder):
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocab = json.loads(read(find(folder, "vocab.json")))
    lines = read(find(folder, "merges.txt")).decode().split("\n")
    merges = [tuple(m.split(" ")) for m in lines if m and not m.startswith("#version")]
    t = Tokenizer(models.BPE(vocab, merges))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.add_special_tokens(["<|endoftext|>"])
    return t


def ranks_of(folder):
    lines = read(find(folder, "cl100k_base.tiktoken")).split(b"\n")
    return {base64.b64decode(a): int(b) for a, b in (x.split() for x in lines if x)}


def hf_cl100k(folder):
    """The ranks as merges: of each token all cuts into two tokens, lowest ranks first."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    ranks, letters = ranks_of(folder), byte_letters()

    def name(token):
        return "".join(letters[b] for b in token)

    merges = []
    for token in sorted(ranks, key=ranks.get):
        cuts = [(token[:i], token[i:]) for i in range(1, len(token))]
        cuts = [(a, b) for a, b in cuts if a in ranks and b in ranks]
        cuts.sort(key=lambda c: (ranks[c[0]], ranks[c[1]]))
        merges += [(name(a), name(b)) for a, b in cuts]
    vocab = {name(token): rank for token, rank in ranks.items()}
    t = Tokenizer(models.BPE(vocab, merges, ignore_merges=True))
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(CL100K), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return t


# --- the two others read their files themselves ----------------------------------------


def tiktoken_of(what, folder):
    import tiktoken

    if what == "cl100k":
        return tiktoken.Encoding(
            what, pat_str=CL100K, mergeable_ranks=ranks_of(folder), special_tokens={}
        )
    byte = {letter: b for b, letter in byte_letters().items()}
    vocab = json.loads(read(find(folder, "vocab.json")))
    vocab.pop("<|endoftext|>")
    ranks = {bytes(byte[c] for c in token): i for token, i in vocab.items()}
    return tiktoken.Encoding(what, pat_str=GPT2, mergeable_ranks=ranks, special_tokens={})


def prepare(peer, folder, file):
    package, _, what = peer.partition(":")
    if package == "tokenizers":
        {"bert": hf_bert, "gpt2": hf_gpt2, "cl100k": hf_cl100k}[what](folder).save(file)
    elif package == "sentencepiece":
        models = [f for f in os.listdir(folder) if f.endswith(".model")]
        os.symlink(os.path.join(folder, models[0]), file)
    else:
        os.symlink(folder, file)


def encoder(peer, file):
    """A function from lines to an iterator over lists of ids, or over what has .ids."""
    package, _, what = peer.partition(":")
    if package == "tokenizers":
        from tokenizers import Tokenizer

        t = Tokenizer.from_file(file)
        # without offsets: the fastest that the package has
        batch = getattr(t, "encode_batch_fast", t.encode_batch)

        def run(lines):
            for i in range(0, len(lines), BATCH):
                yield from batch(lines[i : i + BATCH], add_special_tokens=False)

        return run
    if package == "sentencepiece":
        import sentencepiece

        p = sentencepiece.SentencePieceProcessor(model_file=file)
        return lambda lines: (p.encode(line) for line in lines)
    t = tiktoken_of(what, file)
    return lambda lines: (t.encode_ordinary(line) for line in lines)


def encode(peer, file, path, out=None):
    run = encoder(peer, file)
    with open(path, encoding="utf-8", newline="\n") as f:
        lines = f.read().rstrip("\n").split("\n")
    if out:
        with open(out, "w") as f:
            for ids in run(lines):
                f.write(" ".join(map(str, getattr(ids, "ids", ids))) + "\n")
        return
    start, cpu = time.perf_counter(), time.process_time()
    for _ in run(lines):
        pass  # nothing is kept: freeing as it goes is a sixth faster
    print(f"{time.perf_counter() - start:.4f} {time.process_time() - cpu:.4f}")


def main():
    mode, *args = sys.argv[1:]
    if mode == "lines":
        with open(args[0], encoding="utf-8") as f:
            for line in f:
                sys.stdout.write(json.loads(line)["text"].rstrip("\n") + "\n")
    elif mode == "version":
        from importlib import metadata

        print(metadata.version(args[0].partition(":")[0]))
    else:
        {"prepare": prepare, "encode": encode}[mode](*args)


main()
