#!/usr/bin/env python3
"""bpe.py - .tiktoken files and WordPiece vocab.txt made at random, and hard texts: compares with
tiktoken, Hugging Face's library and Google's rules (transformers' copy of tokenization.py is not
needed: its rules stand below).  By hand.

    tests/peers/bpe.py CTOK [FIRST [COUNT]]      seeds; failures stay in /tmp/teasel-bpe-SEED/
"""
import base64, os, random, sys, unicodedata
import peer
peer.venv('tokenizers==0.23.3', 'tiktoken', 'regex')
import tiktoken
from tokenizers import Tokenizer, BertWordPieceTokenizer

EXE = sys.argv[1]
FIRST = int(sys.argv[2]) if len(sys.argv) > 2 else 1
COUNT = int(sys.argv[3]) if len(sys.argv) > 3 else 40
NTEXTS = int(os.environ.get('NTEXTS', '400'))
PATTERNS = {
    'r50k': r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s""",
    'cl100k': r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s""",
    'o200k': "|".join([r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
                       r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
                       r"""\p{N}{1,3}""", r""" ?[^\s\p{L}\p{N}]+[\r\n/]*""", r"""\s*[\r\n]+""", r"""\s+(?!\S)""", r"""\s+"""]),
}


def ranks(r, corpus):
    """256 bytes in any order, and random merges of what the texts hold."""
    out = {bytes([b]): i for i, b in enumerate(r.sample(range(256), 256))}
    seqs = [[bytes([b]) for b in t] for t in corpus]
    while len(out) < r.choice((400, 800)):
        s = r.choice(seqs)
        if len(s) < 2:
            continue
        i = r.randrange(len(s) - 1)
        new = s[i] + s[i + 1]
        if new in out or len(new) > 24:
            continue
        out[new] = len(out)
        for k, s in enumerate(seqs):
            j, o = 0, []
            while j < len(s):
                if j + 1 < len(s) and s[j] + s[j + 1] == new:
                    o.append(new)
                    j += 2
                else:
                    o.append(s[j])
                    j += 1
            seqs[k] = o
    return out


def check(path, options, texts, want, what):
    try:
        ours = peer.encode(EXE, path, texts, *options)
    except peer.Failed as e:
        print(what, 'REFUSED', e)
        return 1
    bad = 0
    for t, o in zip(texts, ours):
        w = want(t)
        if o['ids'] != w:
            bad += 1
            if bad < 3:
                print(f'  {what} {t!r}\n    ours {o["ids"]}\n    peer {w}')
    return bad


def tik(r, folder, corpus, texts):
    rk = ranks(r, corpus)
    path = folder + '/x.tiktoken'
    with open(path, 'wb') as f:
        for k, v in sorted(rk.items(), key=lambda x: x[1]):
            f.write(base64.b64encode(k) + b' %d\n' % v)
    bad = 0
    for name, pat in PATTERNS.items():
        enc = tiktoken.Encoding(name='x', pat_str=pat, mergeable_ranks=rk, special_tokens={})
        ok = [t for t in texts if valid(t)]
        n = check(path, ['--pattern=' + name, '--special-text=plain'], ok, lambda t: enc.encode_ordinary(t.decode()), 'tiktoken ' + name)
        ids = [enc.encode_ordinary(t.decode()) for t in ok]
        back = peer.decode(EXE, path, [x for x in ids if x], '--pattern=' + name)
        n += back != [t for t, x in zip(ok, ids) if x]
        bad += n
    return bad


def valid(t):
    try:
        t.decode()
        return True
    except UnicodeDecodeError:
        return False


# ---- Google's rules, in our own words ----

def white(c): return c in ' \t\n\r' or unicodedata.category(c) == 'Zs'
def control(c): return c not in '\t\n\r' and unicodedata.category(c) in ('Cc', 'Cf')
def punct(c):
    o = ord(c)
    return 33 <= o <= 47 or 58 <= o <= 64 or 91 <= o <= 96 or 123 <= o <= 126 or unicodedata.category(c)[0] == 'P'
def cjk(o): return any(a <= o <= b for a, b in ((0x4e00, 0x9fff), (0x3400, 0x4dbf), (0x20000, 0x2a6df), (0x2a700, 0x2b73f), (0x2b740, 0x2b81f), (0x2b820, 0x2ceaf), (0xf900, 0xfaff), (0x2f800, 0x2fa1f)))


def google(vocab, lower, text, chars=200):
    out = []
    clean = ''.join(' ' if white(c) else c for c in text if not (ord(c) == 0 or ord(c) == 0xfffd or control(c)))
    clean = ''.join(f' {c} ' if cjk(ord(c)) else c for c in clean)
    words = []
    for w in clean.strip().split():
        if lower:
            w = ''.join(c for c in unicodedata.normalize('NFD', w.lower()) if unicodedata.category(c) != 'Mn')
        cur = ''
        for c in w:
            if punct(c):
                words += [cur, c]
                cur = ''
            else:
                cur += c
        words.append(cur)
    for w in ' '.join(words).strip().split():
        if len(w) > chars:
            out.append(vocab['[UNK]'])
            continue
        i, ids = 0, []
        while i < len(w):
            for j in range(len(w), i, -1):
                s = ('##' if i else '') + w[i:j]
                if s in vocab:
                    break
            else:
                ids = [vocab['[UNK]']]
                break
            ids.append(vocab[s])
            i = j
        out += ids
    return out


def wordpiece(r, folder, corpus, texts):
    tk = BertWordPieceTokenizer(lowercase=r.random() < .5)
    strs = [t.decode('utf-8', 'replace') for t in corpus]
    tk.train_from_iterator(strs, vocab_size=r.choice((300, 1000, 2500)), min_frequency=1, limit_alphabet=r.choice((100, 1000)), show_progress=False)
    vocab = [k for k, v in sorted(tk.get_vocab().items(), key=lambda x: x[1])]
    extra = [w for w in vocab if w.startswith('##')]
    path = folder + '/vocab.txt'
    if r.random() < .3:     # tokens given twice: the last id counts
        vocab += r.sample(vocab[5:], 5)
    with open(path, 'w', encoding='utf-8', newline='\n') as f:
        f.write(''.join(w + '\n' for w in vocab))
    ids = {w: i for i, w in enumerate(vocab)}
    bad = 0
    for lower in (True, False):
        flag = '--lowercase' if lower else '--cased'
        hf = BertWordPieceTokenizer(vocab=ids, lowercase=lower)
        bad += check(path, [flag], texts, lambda t: hf.encode(peer_str(t), add_special_tokens=False).ids, 'hf ' + flag)
        ok = [t for t in texts if valid(t)]
        bad += check(path, [flag, '--rules=google'], ok, lambda t: google(ids, lower, t.decode()), 'google ' + flag)
    return bad


def peer_str(t): return t.decode('utf-8', 'replace')


good = bad = 0
for seed in range(FIRST, FIRST + COUNT):
    r = random.Random(seed)
    folder = f'/tmp/teasel-bpe-{seed}'
    os.makedirs(folder, exist_ok=True)
    corpus = peer.texts(r, 150, bad=0) + [' '.join(r.choice(peer.WORDS) for _ in range(20)).encode() for _ in range(30)]
    texts = peer.texts(r, NTEXTS, ['[MASK]', '[CLS]', '<|endoftext|>'])
    n = tik(r, folder, corpus, texts) if seed % 2 else wordpiece(r, folder, corpus, texts)
    if n:
        bad += 1
        print('seed', seed, n, 'differ')
    else:
        good += 1
        for f in os.listdir(folder): os.remove(folder + '/' + f)
        os.rmdir(folder)
    sys.stdout.flush()
print(f'{good} agree, {bad} do not')
sys.exit(bad > 0)
