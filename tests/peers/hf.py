#!/usr/bin/env python3
"""hf.py - random tokenizer.json files, made of all parts of Hugging Face's library, and hard texts:
compares ids, tokens, offsets, pairs and decoded text.  By hand.

    tests/peers/hf.py CTOK [FIRST [COUNT]]      seeds; failures stay in /tmp/teasel-hf-SEED/
"""
import copy, json, os, random, re, sys, tempfile, base64, codecs
import peer
peer.venv('tokenizers==0.23.2', 'sentencepiece==0.2.0')
import tokenizers
from tokenizers import Tokenizer, trainers, normalizers, pre_tokenizers, models, decoders

EXE = sys.argv[1]
FIRST = int(sys.argv[2]) if len(sys.argv) > 2 else 1
COUNT = int(sys.argv[3]) if len(sys.argv) > 3 else 100
TOKENS = int(os.environ.get('TOKENS', '1'))
NTEXTS = int(os.environ.get('NTEXTS', '120'))

_charsmaps = []


def charsmaps():
    """What SentencePiece's own rules compile to."""
    if not _charsmaps:
        import io, sentencepiece as spm
        for rule in ('nmt_nfkc', 'nfkc', 'nmt_nfkc_cf', 'nfkc_cf'):
            out = io.BytesIO()
            spm.SentencePieceTrainer.train(sentence_iterator=iter(['a b c d e f g']), model_writer=out, vocab_size=12, model_type='char',
                                           normalization_rule_name=rule, minloglevel=3)
            b = out.getvalue()
            # field 3 of the model, field 2 in it
            _charsmaps.append(base64.b64encode(field(field(b, 3), 2)).decode())
    return _charsmaps


def varint(b, i):
    n = s = 0
    while True:
        n |= (b[i] & 127) << s
        s += 7
        i += 1
        if b[i - 1] < 128:
            return n, i


def field(b, want):
    i = 0
    while i < len(b):
        k, i = varint(b, i)
        if k & 7 == 0: _, i = varint(b, i)
        elif k & 7 == 5: i += 4
        elif k & 7 == 1: i += 8
        else:
            n, i = varint(b, i)
            if k >> 3 == want:
                return b[i:i + n]
            i += n
    return b''


REGEXES = [r'\s+', r'\p{N}{1,3}', r'\p{L}+', r'[^\s]+', r'\d', r'\w+|[^\w\s]+', r'(?i)the', r'a|b|', r'x*', r'\p{Han}', r'[\p{P}\p{S}]',
           r'(?<=a)b', r' ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+', r'[A-Z][a-z]*', r'.', r'..', r'\n', r'[^\r\n\p{L}\p{N}]?+\p{L}+',
           r'(.)\1', r'\p{M}+', r'\p{Lu}', r'$', r'^', r'\b', r'[[:punct:]]', r'[[:space:]]+', r'\S', r'\W', r'[a-f&&[^c]]+', r'\X', r'\p{Hangul}+', r'\p{Greek}|\p{Cyrillic}',
           r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
           r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
           r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
           r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
           r'[0-9][0-9][0-9]', r'[一-龥ࠀ-ㄱ가-퟿]+', r'\p{N}', r'[!"#$%&\'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+', r' {2,}', r'[^\S\n]+', r'(?=\d)', r'\t| ']
STRINGS = [' ', 'a', 'e', 'the', '▁', '\n', '.', '中', '\u0301', 'aa', 'ab', '  ', "'", '#', '0', 'é', '\u200d', '́']


def pattern(r):
    return {'String': r.choice(STRINGS)} if r.random() < .4 else {'Regex': r.choice(REGEXES)}


def flip(r):
    return r.random() < .5


def normalizer(r, depth=0):
    k = r.choice(('BertNormalizer', 'NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'Strip', 'StripAccents', 'Nmt', 'ByteLevel', 'Prepend', 'Replace',
                  'Replace', 'Precompiled', 'Sequence', 'Sequence', 'Sequence'))
    if k == 'BertNormalizer':
        return {'type': k, 'clean_text': flip(r), 'handle_chinese_chars': flip(r), 'strip_accents': r.choice((None, True, False)), 'lowercase': flip(r)}
    if k == 'Strip': return {'type': k, 'strip_left': flip(r), 'strip_right': flip(r)}
    if k == 'Prepend': return {'type': k, 'prepend': r.choice(('▁', ' ', 'x', '▁▁', '\u0301', 'ab'))}
    if k == 'Replace': return {'type': k, 'pattern': pattern(r), 'content': r.choice(('', '▁', ' ', 'x', 'ab', 'é', 'xyzzy', '中', '\u0301'))}
    if k == 'Precompiled': return {'type': k, 'precompiled_charsmap': r.choice(charsmaps())}
    if k == 'Sequence':
        return {'type': k, 'normalizers': [normalizer(r, depth + 1) for _ in range(r.randrange(0 if depth else 1, 4))]} if depth < 3 else {'type': 'NFC'}
    return {'type': k}


def behavior(r):
    return r.choice(('Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'))


def metaspace(r):
    m = {'type': 'Metaspace', 'replacement': r.choice('▁▁▁_ ▂é中'), 'prepend_scheme': r.choice(('always', 'first', 'never'))}
    m['split'] = flip(r)
    return m


def pretok(r, depth=0):
    k = r.choice(('BertPreTokenizer', 'ByteLevel', 'ByteLevel', 'Whitespace', 'WhitespaceSplit', 'Punctuation', 'Digits', 'CharDelimiterSplit', 'Metaspace', 'Metaspace',
                  'Split', 'Split', 'Split', 'UnicodeScripts', 'FixedLength', 'Sequence', 'Sequence', 'Sequence'))
    if k == 'ByteLevel': return {'type': k, 'add_prefix_space': flip(r), 'trim_offsets': flip(r), 'use_regex': flip(r)}
    if k == 'Punctuation': return {'type': k, 'behavior': behavior(r)}
    if k == 'Digits': return {'type': k, 'individual_digits': flip(r)}
    if k == 'CharDelimiterSplit': return {'type': k, 'delimiter': r.choice(' a.中\n\u0301')}
    if k == 'Metaspace': return metaspace(r)
    if k == 'Split': return {'type': k, 'pattern': pattern(r), 'behavior': behavior(r), 'invert': flip(r)}
    if k == 'FixedLength': return {'type': k, 'length': r.choice((1, 2, 3, 5, 100))}
    if k == 'Sequence':
        return {'type': k, 'pretokenizers': [pretok(r, depth + 1) for _ in range(r.randrange(0 if depth else 1, 4))]} if depth < 3 else {'type': 'Whitespace'}
    return {'type': k}


def model(r, base, corpus):
    """A trained vocabulary with its options changed at random.  base: the file without a model."""
    k = r.choice(('BPE', 'BPE', 'BPE', 'WordPiece', 'WordLevel', 'Unigram'))
    base = dict(base, truncation=None, padding=None, added_tokens=[], post_processor=None, decoder=None)
    size = r.choice((60, 300, 900))
    if k == 'BPE':
        prefix = r.choice((None, None, None, '##', 'é', ''))
        suffix = r.choice((None, None, None, '</w>', ''))
        base['model'] = {'type': 'BPE', 'vocab': {}, 'merges': []}
        tk = Tokenizer.from_str(json.dumps(base))
        opts = {}
        if prefix is not None: opts['continuing_subword_prefix'] = prefix
        if suffix is not None: opts['end_of_word_suffix'] = suffix
        bl = 'ByteLevel' in json.dumps(base)
        tk.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=['<unk>'] if flip(r) else [],
                                                          initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if bl else [],
                                                          limit_alphabet=r.choice((50, 200, 1000)), **opts))
        m = json.loads(tk.to_str())['model']
        if r.random() < .3:
            r.shuffle(m['merges'])
        if r.random() < .3:     # other merges of what is there
            words = list(m['vocab'])
            for _ in range(60 if words else 0):
                a = r.choice(words)
                for i in range(1, len(a)):
                    if a[:i] in m['vocab'] and a[i:] in m['vocab'] and not prefix:
                        m['merges'].insert(r.randrange(len(m['merges']) + 1), [a[:i], a[i:]])
        if r.random() < .3:
            for i in range(256):
                if r.random() < .98 or m is None:
                    m['vocab'].setdefault(f'<0x{i:02X}>', len(m['vocab']))
        elif r.random() < .3:
            for i in range(256):
                m['vocab'].setdefault(f'<0x{i:02X}>', len(m['vocab']))
        m['unk_token'] = r.choice((None, '<unk>', '<unk>', 'e')) if r.random() < .95 else 'nosuch'
        if m['unk_token'] == '<unk>':
            m['vocab'].setdefault('<unk>', len(m['vocab']))
        m['fuse_unk'] = flip(r)
        m['byte_fallback'] = flip(r)
        m['ignore_merges'] = flip(r)
        m['dropout'] = r.choice((None, None, 0.0))
        if r.random() < .3:
            m['merges'] = [' '.join(x) if isinstance(x, list) and ' ' not in ''.join(x) else x for x in m['merges']]
            if any(isinstance(x, list) for x in m['merges']):
                m['merges'] = [x.split(' ') if isinstance(x, str) else x for x in m['merges']]
        return m
    if k == 'WordPiece':
        prefix = r.choice(('##', '##', '', 'x', '▁'))
        base['model'] = {'type': 'WordPiece', 'vocab': {'[UNK]': 0}, 'unk_token': '[UNK]', 'continuing_subword_prefix': prefix, 'max_input_chars_per_word': 100}
        tk = Tokenizer.from_str(json.dumps(base))
        tk.train_from_iterator(corpus, trainers.WordPieceTrainer(vocab_size=size, show_progress=False, special_tokens=['[UNK]'],
                                                                continuing_subword_prefix=prefix))
        m = json.loads(tk.to_str())['model']
        m['max_input_chars_per_word'] = r.choice((1, 5, 10, 100, 200, 0))
        m['unk_token'] = r.choice(('[UNK]', '[UNK]', 'e')) if 'e' in m['vocab'] else '[UNK]'
        return m
    if k == 'WordLevel':
        base['model'] = {'type': 'WordLevel', 'vocab': {'<unk>': 0}, 'unk_token': '<unk>'}
        tk = Tokenizer.from_str(json.dumps(base))
        tk.train_from_iterator(corpus, trainers.WordLevelTrainer(vocab_size=size, show_progress=False, special_tokens=['<unk>']))
        return json.loads(tk.to_str())['model']
    base['model'] = {'type': 'Unigram', 'vocab': [['<unk>', 0.0]], 'unk_id': 0, 'byte_fallback': False}
    tk = Tokenizer.from_str(json.dumps(base))
    tk.train_from_iterator(corpus, trainers.UnigramTrainer(vocab_size=size + 2000, show_progress=False, special_tokens=['<unk>'], unk_token='<unk>'))
    m = json.loads(tk.to_str())['model']
    if r.random() < .4:
        m['vocab'] += [[f'<0x{i:02X}>', -float(r.randrange(5, 15))] for i in range(256)]
        if r.random() < .2:
            del m['vocab'][-r.randrange(1, 256)]
    if r.random() < .3:         # ties
        for x in m['vocab'][1:]:
            x[1] = float(round(x[1]))
    if r.random() < .2:
        r.shuffle(m['vocab'])
        m['unk_id'] = r.choice((0, len(m['vocab']) // 2, len(m['vocab']) - 1))
    m['byte_fallback'] = flip(r)
    if r.random() < .1:
        m['unk_id'] = None
    return m


def names(m):
    return list(m['vocab']) if isinstance(m['vocab'], dict) else [x[0] for x in m['vocab']]


def added(r, m):
    out, n = [], len(names(m))
    seen = set()
    for _ in range(r.choice((0, 1, 3, 6, 12))):
        c = r.choice(('[CLS]', '[SEP]', '[MASK]', '<s>', '</s>', '<|endoftext|>', '<mask>', '<pad>', ' lead', 'trail ', 'the', 'The', 'é', 'É', 'a', '中', '中文', '▁', ' ', '  ', '\n', '  \n', '\u0301', 'ab', 'abc',
                      'bc', '<unk>', '[UNK]', "'s", '0', '12', 'ﬁ', 'Ⅷ', 'ＡＢ', 'a b', 'e\u0301', '한', '\u1112', '\ufffd', '\u200d', '👍', r.choice(names(m) or ['q']), 'x', 'naïve', 'STRAẞE', 'İ'))
        if not c or c in seen and r.random() < .8:
            continue
        seen.add(c)
        out.append({'id': n + len(out), 'content': c, 'single_word': r.random() < .3, 'lstrip': r.random() < .3, 'rstrip': r.random() < .3,
                    'normalized': flip(r), 'special': flip(r)})
    return out


def postproc(r, ids, depth=0):
    k = r.choice(('BertProcessing', 'RobertaProcessing', 'ByteLevel', 'TemplateProcessing', 'TemplateProcessing', 'Sequence'))
    tok = lambda: r.choice(ids)
    if k == 'BertProcessing': return {'type': k, 'sep': list(tok()), 'cls': list(tok())}
    if k == 'RobertaProcessing': return {'type': k, 'sep': list(tok()), 'cls': list(tok()), 'trim_offsets': flip(r), 'add_prefix_space': flip(r)}
    if k == 'ByteLevel': return {'type': k, 'add_prefix_space': flip(r), 'trim_offsets': flip(r), 'use_regex': flip(r)}
    if k == 'Sequence':
        return {'type': k, 'processors': [postproc(r, ids, depth + 1) for _ in range(r.randrange(3))]} if depth < 2 else {'type': 'ByteLevel', 'add_prefix_space': True, 'trim_offsets': flip(r), 'use_regex': True}
    use = [tok() for _ in range(3)]
    special = {t: {'id': t, 'ids': [i] + ([ids[0][1]] if r.random() < .2 else []), 'tokens': [t]} for t, i in use}
    by_id = {i: t for t, i in ids}
    for s in special.values():
        s['tokens'] = [by_id[i] for i in s['ids']]
    sp = lambda: {'SpecialToken': {'id': r.choice(use)[0], 'type_id': r.randrange(3)}}
    seq = lambda x: {'Sequence': {'id': x, 'type_id': r.randrange(3)}}
    around = lambda: [sp() for _ in range(r.randrange(3))]
    return {'type': k, 'single': around() + [seq('A')] + around(), 'pair': around() + [seq('A')] + around() + [seq('B')] + around(), 'special_tokens': special}


def decoder(r, depth=0):
    k = r.choice(('WordPiece', 'ByteLevel', 'Metaspace', 'BPEDecoder', 'ByteFallback', 'Fuse', 'Strip', 'Replace', 'CTC', 'Sequence', 'Sequence'))
    if k == 'WordPiece': return {'type': k, 'prefix': r.choice(('##', '', '▁', 'e')), 'cleanup': flip(r)}
    if k == 'Metaspace': return metaspace(r)
    if k == 'ByteLevel': return {'type': k, 'add_prefix_space': flip(r), 'trim_offsets': flip(r), 'use_regex': flip(r)}
    if k == 'BPEDecoder': return {'type': k, 'suffix': r.choice(('</w>', 'e', ''))}
    if k == 'Strip': return {'type': k, 'content': r.choice(' ▁ea'), 'start': r.choice((0, 1)), 'stop': 0} if flip(r) else {'type': k, 'content': ' ', 'start': 0, 'stop': r.choice((0, 1, 2))}
    if k == 'Replace': return {'type': k, 'pattern': pattern(r), 'content': r.choice(('', ' ', 'x', '▁'))}
    if k == 'CTC': return {'type': k, 'pad_token': r.choice(('<pad>', 'e')), 'word_delimiter_token': r.choice(('|', '▁', '')), 'cleanup': flip(r)}
    if k == 'Sequence': return {'type': k, 'decoders': [decoder(r, depth + 1) for _ in range(r.randrange(4))]} if depth < 2 else {'type': 'Fuse'}
    return {'type': k}


def make(r, corpus):
    j = {'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': [],
         'normalizer': normalizer(r) if r.random() < .7 else None, 'pre_tokenizer': pretok(r) if r.random() < .85 else None,
         'post_processor': None, 'decoder': decoder(r) if r.random() < .8 else None}
    if r.random() < .25:        # what the fast engines know
        j['normalizer'] = r.choice((None, {'type': 'NFC'}, {'type': 'BertNormalizer', 'clean_text': flip(r), 'handle_chinese_chars': flip(r), 'strip_accents': r.choice((None, True, False)), 'lowercase': flip(r)}))
        j['pre_tokenizer'] = r.choice(({'type': 'BertPreTokenizer'}, {'type': 'ByteLevel', 'add_prefix_space': flip(r), 'trim_offsets': True, 'use_regex': flip(r)},
                                       {'type': 'Sequence', 'pretokenizers': [{'type': 'Split', 'pattern': {'Regex': r.choice([x for x in REGEXES if 'p{L}' in x and '!\\S' in x])}, 'behavior': 'Isolated', 'invert': False},
                                                                              {'type': 'ByteLevel', 'add_prefix_space': False, 'trim_offsets': True, 'use_regex': False}]}))
    j['model'] = model(r, j, corpus)
    j['added_tokens'] = added(r, j['model'])
    tk = Tokenizer.from_str(json.dumps(j))
    # Of two that normalise alike the peer takes either, by the order of a hash map.
    alike = {}
    for a in j['added_tokens']:
        c = tk.normalizer.normalize_str(a['content']) if a['normalized'] and tk.normalizer else a['content']
        alike.setdefault((a['normalized'], c), set()).add(a['content'])
    if any(len(x) > 1 for x in alike.values()):
        j['added_tokens'] = [a for a in j['added_tokens'] if not a['normalized']]
        tk = Tokenizer.from_str(json.dumps(j))
    ids = list(tk.get_vocab(with_added_tokens=True).items())
    r.shuffle(ids)
    if ids and r.random() < .7:
        j['post_processor'] = postproc(r, sorted(ids)[:50] if flip(r) else ids[:50])
    if r.random() < .2:
        j['truncation'] = {'direction': r.choice(('Left', 'Right')), 'max_length': r.choice((8, 16, 40)), 'strategy': r.choice(('LongestFirst', 'OnlyFirst')), 'stride': r.choice((0, 0, 1, 2))}
    if r.random() < .2 and ids:
        t, i = r.choice(ids)
        j['padding'] = {'strategy': r.choice(('BatchLongest', {'Fixed': r.choice((5, 20))})), 'direction': r.choice(('Left', 'Right')), 'pad_to_multiple_of': r.choice((None, None, 0, 8)), 'pad_id': i, 'pad_type_id': 0, 'pad_token': t}
    return j


def to_str(b):
    """b as the peer gets it, and for each of its characters the byte where it begins (and the end)."""
    spans = []

    def bad(e):
        spans.append((e.start, e.end))
        return '\ufffd', e.end
    codecs.register_error('note', bad)
    s = b.decode('utf-8', 'note')
    starts, i, k = [], 0, 0
    for c in s:
        starts.append(i)
        if c == '\ufffd' and k < len(spans) and spans[k][0] == i:
            i = spans[k][1]
            k += 1
        else:
            i += len(c.encode())
    return s, starts + [i]


def compare(exe, path, j, texts, report):
    """The number of differences."""
    tk = Tokenizer.from_str(json.dumps(j))
    bare = Tokenizer.from_str(json.dumps(dict(j, truncation=None, padding=None)))
    strs = [to_str(t) for t in texts]
    theirs = {m: [(tk if m == 'add' else bare).encode(s, add_special_tokens=m == 'add') for s, _ in strs] for m in ('none', 'add')}
    bad = 0
    pieces = None
    # Its BPE counts lengths of tokens: behind a character that vanished, spans are not those of the text.
    lossy = j['model']['type'] == 'BPE' and (j['model'].get('unk_token') is None or j['model']['byte_fallback'])
    for mode in ('none', 'add'):
        try:
            ours = peer.encode(exe, path, texts, '--specials=' + mode)
        except peer.Failed as e:
            report('REFUSED ' + str(e), None)
            return 1
        for t, (s, starts), o, e in zip(texts, strs, ours, theirs[mode]):
            if mode == 'none':
                pieces = (pieces or []) + [e.ids]
            offsets = [[starts[a], starts[b]] for a, b in e.offsets]
            if o['ids'] != e.ids:
                what, a, b = 'ids', o['ids'], e.ids
            elif TOKENS and o['tokens'] != e.tokens:
                what, a, b = 'tokens', o['tokens'], e.tokens
            elif o['offsets'] != offsets and not lossy:
                what, a, b = 'offsets', o['offsets'], offsets
            else:
                continue
            bad += 1
            if bad <= 3:
                report(f'{mode}: {what} differ', t, a, b)
    bad += compare_pairs(exe, path, tk, texts, lossy, report)
    for skip in (False, True):
        use = [p for p in pieces if p]
        theirs = []
        keep = []
        for p in use:
            try:
                theirs.append(tk.decode(p, skip_special_tokens=skip).encode())
                keep.append(p)
            except BaseException as e:
                if isinstance(e, KeyboardInterrupt):
                    raise
        try:
            ours = peer.decode(exe, path, keep, '--invalid=replace', *(['--skip-specials'] if skip else []))
        except peer.Failed as e:
            report('DECODE REFUSED ' + str(e), None)
            return bad + 1
        for p, a, b in zip(keep, ours, theirs):
            if a != b:
                bad += 1
                if bad <= 3:
                    report(f'decode skip={skip}', json.dumps(p).encode(), a, b)
    return bad


def compare_pairs(exe, path, tk, texts, lossy, report):
    """Each text with the next one.  Offsets are those of the text that its type id says, so both are
    tried; where the peer refuses a pair it is left out."""
    bad = 0
    texts = [t.replace(b'\t', b' ') for t in texts]
    use, theirs = [], []
    for a, b in zip(texts[::2], texts[1::2]):
        try:
            theirs.append(tk.encode(to_str(a)[0], to_str(b)[0]))
            use.append((a, b))
        except BaseException as e:
            if isinstance(e, KeyboardInterrupt):
                raise
    if not use:
        return 0
    try:
        ours = peer.encode(exe, path, [a + b'\t' + b for a, b in use], '--pair')
    except peer.Failed as e:
        report('PAIRS REFUSED ' + str(e), None)
        return 1
    for (a, b), o, e in zip(use, ours, theirs):
        starts = [to_str(a)[1], to_str(b)[1]]
        offsets = [[starts[q or 0][x], starts[q or 0][y]] for (x, y), q in zip(e.offsets, e.sequence_ids)]
        if o['ids'] != e.ids: what, x, y = 'ids', o['ids'], e.ids
        elif o['type_ids'] != e.type_ids: what, x, y = 'type ids', o['type_ids'], e.type_ids
        elif o['offsets'] != offsets and not lossy: what, x, y = 'offsets', o['offsets'], offsets
        else: continue
        bad += 1
        if bad <= 3:
            report(f'decode pair: {what} differ', a + b'\t' + b, x, y)
    return bad


def shrink_text(exe, path, j, t):
    def differs(x):
        return compare(exe, path, j, [x], lambda *a: None) > 0
    if not differs(t):
        return t
    n = max(1, len(t) // 2)
    while n:
        i = 0
        while i < len(t):
            u = t[:i] + t[i + n:]
            if differs(u): t = u
            else: i += n
        n //= 2
    return t


def parts(v):
    """All parts of a file, for a short line."""
    if v is None: return '-'
    t = v.get('type', '?')
    for key in ('normalizers', 'pretokenizers', 'processors', 'decoders'):
        if key in v:
            return '[' + ' '.join(parts(x) for x in v[key]) + ']'
    return t + json.dumps({k: x for k, x in v.items() if k not in ('type', 'vocab', 'merges', 'special_tokens', 'precompiled_charsmap')}, ensure_ascii=False).replace('"', '')


def run(seed):
    r = random.Random(seed)
    corpus = [x.decode('utf-8', 'replace') for x in peer.texts(r, 150, bad=0)]
    if os.environ.get('NONUL'): corpus = [c.replace('\0', '') for c in corpus]
    corpus = corpus + [' '.join(r.choice(peer.WORDS) for _ in range(20)) for _ in range(50)]
    try:
        j = make(r, corpus)
        Tokenizer.from_str(json.dumps(j))
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        return 'peer: ' + str(e)[:150]
    folder = f'/tmp/teasel-hf-{seed}'
    os.makedirs(folder, exist_ok=True)
    path = folder + '/tokenizer.json'
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(j, f, ensure_ascii=False)
    extra = [a['content'] for a in j['added_tokens']] + r.sample(names(j['model']), min(20, len(names(j['model']))))
    texts = peer.texts(r, NTEXTS, extra)
    lines = []

    def report(what, t, a=None, b=None):
        lines.append(f'  {what}: {t!r}\n     ours {str(a)[:300]}\n     peer {str(b)[:300]}')
    first = []

    def note(what, t, *rest):
        report(what, t, *rest)
        if t is not None and not first and not what.startswith('decode'):
            first.append(t)
    try:
        n = compare(EXE, path, j, texts, note)
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        return 'peer at run time: ' + repr(e)[:200]
    if n == 0:
        os.remove(path)
        os.rmdir(folder)
        return None
    print(f'seed {seed}: {n} differ\n  norm {parts(j["normalizer"])}\n  pre {parts(j["pre_tokenizer"])}\n  model {parts(j["model"])}\n  post {parts(j["post_processor"])}\n  dec {parts(j["decoder"])}\n  trunc {j["truncation"]} pad {j["padding"]}')
    print('\n'.join(lines[:3]))
    if first:
        small = shrink_text(EXE, path, j, first[0])
        lines.clear()
        compare(EXE, path, j, [small], report)
        print('  smallest:', repr(small), '=', repr(small.decode("utf-8", "replace")))
        print('\n'.join(lines[:2]))
    sys.stdout.flush()
    return 'bad'


def main():
    good = bad = no = 0
    for seed in range(FIRST, FIRST + COUNT):
        x = run(seed)
        if x is None: good += 1
        elif x == 'bad': bad += 1
        else:
            no += 1
            print('seed', seed, x)
            sys.stdout.flush()
    print(f'{good} files agree, {bad} do not, {no} the peer does not take')
    return bad > 0


if __name__ == '__main__':
    sys.exit(main())
