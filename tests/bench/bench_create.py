"""The create step of google-research/bert's create_pretraining_data.py, restated from its
description (documents of token ids, next sentences, masks): instances a second, for
scripts/bench.  It does what the script does, with Python lists and Python's random."""
import json
import random
import sys
import time

SEQ, MASKS, RATE, SHORT = 128, 20, .15, .1


def masked(rng, tokens, vocab):
    places = [i for i, t in enumerate(tokens) if t not in ("[CLS]", "[SEP]")]
    rng.shuffle(places)
    out = list(tokens)
    n = min(MASKS, max(1, int(round(len(tokens) * RATE))))
    chosen = []
    for i in places:
        if len(chosen) >= n:
            break
        if rng.random() < 0.8:
            shown = "[MASK]"
        elif rng.random() < 0.5:
            shown = tokens[i]
        else:
            shown = vocab[rng.randint(0, len(vocab) - 1)]
        out[i] = shown
        chosen.append((i, tokens[i]))
    chosen.sort()
    return out, [c[0] for c in chosen], [c[1] for c in chosen]


def instances_of(rng, docs, at, vocab):
    doc, most, made = docs[at], SEQ - 3, []
    target = rng.randint(2, most) if rng.random() < SHORT else most
    chunk, length, i = [], 0, 0
    while i < len(doc):
        chunk.append(doc[i])
        length += len(doc[i])
        if i == len(doc) - 1 or length >= target:
            if chunk:
                a_end = rng.randint(1, len(chunk) - 1) if len(chunk) >= 2 else 1
                a = [t for s in chunk[:a_end] for t in s]
                b = []
                label = len(chunk) == 1 or rng.random() < 0.5
                if label:
                    for _ in range(10):
                        other = rng.randint(0, len(docs) - 1)
                        if other != at:
                            break
                    start = rng.randint(0, len(docs[other]) - 1)
                    for s in docs[other][start:]:
                        b.extend(s)
                        if len(b) >= target - len(a):
                            break
                    i -= len(chunk) - a_end
                else:
                    for s in chunk[a_end:]:
                        b.extend(s)
                while len(a) + len(b) > most:
                    longer = a if len(a) > len(b) else b
                    if rng.random() < 0.5:
                        del longer[0]
                    else:
                        longer.pop()
                tokens = ["[CLS]"] + a + ["[SEP]"] + b + ["[SEP]"]
                segments = [0] * (len(a) + 2) + [1] * (len(b) + 1)
                made.append((masked(rng, tokens, vocab), segments, label))
            chunk, length = [], 0
        i += 1
    return made


def main():
    vocab = [line.rstrip("\n") for line in open(sys.argv[2], encoding="utf-8")]
    docs = []
    for line in open(sys.argv[1]):
        r = json.loads(line)
        at, doc = 0, []
        for n in r["sents"]:
            doc.append([vocab[i] for i in r["ids"][at:at + n]])
            at += n
        if doc:
            docs.append(doc)
    rng = random.Random(12345)
    begin = time.perf_counter()
    rng.shuffle(docs)
    made = []
    for _ in range(2):
        for at in range(len(docs)):
            made.extend(instances_of(rng, docs, at, vocab))
    rng.shuffle(made)
    print(len(made) / (time.perf_counter() - begin))


main()
