#!/usr/bin/env python3
"""spm.py - SentencePiece models trained on the fly with random options, and hard texts: compares
ids, pieces, offsets and decoded text.  By hand.

    tests/peers/spm.py CTOK [FIRST [COUNT]]      seeds; failures stay in /tmp/teasel-spm-SEED.model
"""
import io, os, random, sys
import peer
peer.venv('sentencepiece==0.2.0')
import sentencepiece as spm

EXE = sys.argv[1]
FIRST = int(sys.argv[2]) if len(sys.argv) > 2 else 1
COUNT = int(sys.argv[3]) if len(sys.argv) > 3 else 100
NTEXTS = int(os.environ.get('NTEXTS', '300'))


def rules(r):
    """Normalization rules of one's own, as a file."""
    path = f'/tmp/teasel-rules-{os.getpid()}.tsv'
    with open(path, 'w') as f:
        seen = set()
        for _ in range(r.randrange(1, 30)):
            src = ''.join(r.choice(('a', 'b', 'e', ' ', 'é', '中', '▁', 'T', '\u0301', '½', 'ab', '\t')) for _ in range(r.randrange(1, 4)))
            dst = ''.join(r.choice(('a', 'x', ' ', 'é', '文', '▁', '')) for _ in range(r.randrange(0, 4)))
            if src in seen:
                continue
            seen.add(src)
            f.write(' '.join(f'{ord(c):X}' for c in src) + '\t' + ' '.join(f'{ord(c):X}' for c in dst) + '\n')
    return path


def train(r):
    kind = r.choice(('unigram', 'unigram', 'bpe', 'bpe', 'char', 'word'))
    corpus = [x.decode('utf-8', 'replace').replace('\n', ' ').replace('\0', '') for x in peer.texts(r, 200, bad=0)]
    corpus += [' '.join(r.choice(peer.WORDS) for _ in range(20)) for _ in range(60)]
    o = dict(model_type=kind, vocab_size=r.choice((1500, 2500, 4000)), hard_vocab_limit=False, character_coverage=r.choice((0.98, 0.99, 1.0)),
             byte_fallback=r.random() < .4, treat_whitespace_as_suffix=r.random() < .25, add_dummy_prefix=r.random() < .7,
             remove_extra_whitespaces=r.random() < .6, split_by_whitespace=r.random() < .7, split_by_number=r.random() < .5,
             split_digits=r.random() < .4, split_by_unicode_script=r.random() < .5, allow_whitespace_only_pieces=r.random() < .4,
             max_sentencepiece_length=r.choice((4, 16, 40)), minloglevel=3, num_threads=1)
    k = r.choice(('nmt_nfkc', 'nfkc', 'nmt_nfkc_cf', 'nfkc_cf', 'identity', 'own'))
    if k == 'own': o['normalization_rule_tsv'] = rules(r)
    else: o['normalization_rule_name'] = k
    if r.random() < .5:
        o['user_defined_symbols'] = r.sample(['<u>', 'the', '▁the', '中', '  ', 'ab', 'abc', '▁', '\u0301', '12', 'é', '▁▁', 'a b', '\t', '👍', '@@'], r.randrange(1, 6))
    if r.random() < .3:
        o['control_symbols'] = ['<c>', '[MASK]']
    if r.random() < .3: o['unk_surface'] = r.choice(('', '?', ' <unk> '))
    if r.random() < .2: o.update(pad_id=3)
    if r.random() < .2: o.update(bos_id=-1)
    if r.random() < .1: o.update(unk_id=3, bos_id=0, eos_id=1, pad_id=2)
    out = io.BytesIO()
    spm.SentencePieceTrainer.train(sentence_iterator=iter(corpus), model_writer=out, **o)
    return out.getvalue(), o


def compare(path, sp, texts, report):
    bad = 0
    ours = peer.encode(EXE, path, texts)
    ids_all = []
    for t, o in zip(texts, ours):
        try:
            s = t.decode()
        except UnicodeDecodeError:
            s = None
        ids = sp.encode(t)
        ids_all.append(ids)
        if o['ids'] != ids:
            bad += 1
            report('ids', t, o['ids'], ids)
            continue
        if s is None:
            continue
        p = sp.encode(s, out_type='immutable_proto')
        pieces = [x.piece for x in p.pieces]
        if o['tokens'] != pieces:
            bad += 1
            report('pieces', t, o['tokens'], pieces)
        at = [0]
        for c in s: at.append(at[-1] + len(c.encode()))
        offsets = [[at[x.begin], at[x.end]] for x in p.pieces]
        if o['offsets'] != offsets:
            bad += 1
            report('offsets', t, o['offsets'], offsets)
    more = [[random.Random(i).randrange(sp.get_piece_size()) for _ in range(i % 12)] for i in range(100)]
    use = [x for x in ids_all if x] + [x for x in more if x]
    back = peer.decode(EXE, path, use)
    for ids, a in zip(use, back):
        b = sp.decode(ids).encode()
        if a != b:
            bad += 1
            report('decode', str(ids).encode(), a, b)
    return bad


def run(seed):
    r = random.Random(seed)
    try:
        blob, o = train(r)
    except Exception as e:
        return 'peer: ' + str(e).replace('\n', ' ')[:150]
    path = f'/tmp/teasel-spm-{seed}.model'
    open(path, 'wb').write(blob)
    sp = spm.SentencePieceProcessor(model_proto=blob)
    names = [sp.id_to_piece(i) for i in range(sp.get_piece_size())]
    texts = peer.texts(r, NTEXTS, [n.replace('▁', ' ') for n in r.sample(names, min(30, len(names)))] + o.get('user_defined_symbols', []) + ['<s>', '<c>', '<unk>', '[MASK]'])
    lines, first = [], []

    def report(what, t, a, b):
        if what != 'decode': first.append(t)
        lines.append(f'  {what}: {t!r}\n     ours {str(a)[:300]}\n     peer {str(b)[:300]}')
    try:
        n = compare(path, sp, texts, report)
    except peer.Failed as e:
        print(f'seed {seed} REFUSED {e}\n  {o}')
        return 'bad'
    if n == 0:
        os.remove(path)
        return None
    print(f'seed {seed}: {n} differ\n  {o}')
    print('\n'.join(lines[:3]))
    if first:
        t = min(first, key=len)
        k = max(1, len(t) // 2)
        while k:
            i = 0
            while i < len(t):
                u = t[:i] + t[i + k:]
                if compare(path, sp, [u], lambda what, *a: None): t = u
                else: i += k
            k //= 2
        lines.clear()
        compare(path, sp, [t], report)
        print('  smallest:', repr(t), t.decode('utf-8', 'replace'))
        print('\n'.join(lines[:1]))
    sys.stdout.flush()
    return 'bad'


good = bad = no = 0
for seed in range(FIRST, FIRST + COUNT):
    x = run(seed)
    if x is None: good += 1
    elif x == 'bad': bad += 1
    else:
        no += 1
        print('seed', seed, x)
print(f'{good} models agree, {bad} do not, {no} the peer does not take')
sys.exit(bad > 0)
