#!/usr/bin/env python3
"""malformed.py - vocabularies cut short at every byte, with bits changed, or wrong in other ways: ctok
must say so with the file's name, exit with 1 and leave no output, or take the file.  By hand, best
with `make MODE=asan all`.  Needs no peer.

    tests/peers/malformed.py CTOK [SEED [COUNT]]     COUNT: changed files of each kind
"""
import gzip, json, os, random, subprocess, sys, tempfile
import peer

EXE = sys.argv[1]
r = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
COUNT = int(sys.argv[3]) if len(sys.argv) > 3 else 150
DATA = os.path.join(peer.ROOT, 'tests/data/tokenizers')
folder = tempfile.mkdtemp()
os.chdir(folder)
open('in', 'w').write('the quick brown fox 中文 [MASK] é\n')
bad = 0


def small_hf():
    return json.dumps({'version': '1.0', 'truncation': None, 'padding': None,
        'added_tokens': [{'id': 5, 'content': '[M]', 'single_word': False, 'lstrip': True, 'rstrip': False, 'normalized': False, 'special': True}],
        'normalizer': {'type': 'Sequence', 'normalizers': [{'type': 'NFC'}, {'type': 'Replace', 'pattern': {'Regex': 'a+'}, 'content': 'b'}]},
        'pre_tokenizer': {'type': 'Sequence', 'pretokenizers': [{'type': 'Split', 'pattern': {'Regex': r'\s+'}, 'behavior': 'Isolated', 'invert': False}, {'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'always', 'split': True}]},
        'post_processor': {'type': 'TemplateProcessing', 'single': [{'Sequence': {'id': 'A', 'type_id': 0}}, {'SpecialToken': {'id': 'x', 'type_id': 0}}], 'pair': [], 'special_tokens': {'x': {'id': 'x', 'ids': [1], 'tokens': ['x']}}},
        'decoder': {'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'always', 'split': True},
        'model': {'type': 'BPE', 'dropout': None, 'unk_token': '?', 'continuing_subword_prefix': None, 'end_of_word_suffix': None, 'fuse_unk': True, 'byte_fallback': False, 'ignore_merges': False,
                  'vocab': {'?': 0, 'x': 1, 't': 2, 'h': 3, 'th': 4}, 'merges': [['t', 'h']]}}).encode()


def run(name, what, *options, must=None, quiet='-q'):
    """must: 0 or 1, the status; None: either."""
    global bad
    for f in ('out', 'ids'):
        if os.path.exists(f): os.remove(f)
    try:
        p = subprocess.run([EXE, 'encode', quiet, '-V', name, *options, '-o', 'out', 'in'], capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        bad += 1
        print('NO END', what)
        return
    err = p.stderr.decode('utf-8', 'replace')
    wrong = None
    if p.returncode not in (0, 1) or 'Sanitizer' in err or 'runtime error' in err: wrong = 'crash'
    elif must is not None and p.returncode != must: wrong = f'status {p.returncode}'
    elif p.returncode == 1 and os.path.exists('out'): wrong = 'output is there'
    elif p.returncode == 1 and not err.startswith('ctok encode: '): wrong = 'no message'
    elif p.returncode == 1 and name.split('/')[-1] not in err and not err.startswith('ctok encode: in: '): wrong = 'does not name the file'
    elif p.returncode == 0 and not os.path.exists('out'): wrong = 'no output'
    if wrong:
        bad += 1
        keep = f'/tmp/teasel-bad-{bad}'
        if os.path.exists(name): open(keep, 'wb').write(open(name, 'rb').read())
        print(f'{what}: {wrong}: {err[-600:]} ({keep})')
    return err


def put(name, data):
    with open(name, 'wb') as f: f.write(data)


def get(path):
    b = open(os.path.join(DATA, path), 'rb').read()
    return gzip.decompress(b) if path.endswith('.gz') else b


KINDS = {'vocab.txt': get('bert-order/vocab.txt')[:4000], 'tokenizer.json': small_hf(),
         'm.model': get('own-sp-char/own-sp-char.model'), 'u.model': get('own-sp-uni-bf-4k/own-sp-uni-bf-4k.model'), 'x.tiktoken': b''.join(get('cl100k_base/cl100k_base.tiktoken.gz').splitlines(True)[:300])}
for name, data in KINDS.items():
    put(name, data)
    run(name, name + ' as it is', *(['--pattern=cl100k'] if name.endswith('tiktoken') else []), must=0)
    step = max(1, len(data) // (COUNT * 4))
    for n in range(0, len(data), step):
        put(name, data[:n])
        run(name, f'{name} cut at {n}', *(['--pattern=cl100k'] if name.endswith('tiktoken') else []), must=1 if name == 'tokenizer.json' else None)
    for _ in range(COUNT):
        b = bytearray(data)
        for _ in range(r.choice((1, 1, 2, 8))):
            i = r.randrange(len(b) if r.random() < .5 else min(len(b), 400))
            b[i] = b[i] ^ (1 << r.randrange(8)) if r.random() < .7 else r.choice(b'\0\xff\x80"{}[],:0-9')
        put(name, bytes(b))
        run(name, f'{name} changed', *(['--pattern=cl100k'] if name.endswith('tiktoken') else []))
os.mkdir('gpt2')
vocab, merges = get('gpt2/vocab.json.gz'), get('gpt2/merges.txt.gz')
for v, m, what in ((vocab[:1000], merges, 'vocab cut'), (vocab, merges[:-3], 'merges cut'), (vocab, b'#version: 0.2\na b c\n', 'three parts'), (vocab, b'zzzz qqqq\n', 'no such tokens'), (b'[]', merges, 'no object'), (b'{}', merges, 'empty')):
    put('gpt2/vocab.json', v)
    put('gpt2/merges.txt', m)
    run('gpt2', 'gpt2 ' + what, must=None if 'merges cut' in what else 1)
base = json.loads(small_hf())


def variant(what, change, must=1):
    j = json.loads(json.dumps(base))
    change(j)
    put('tokenizer.json', json.dumps(j).encode())
    run('tokenizer.json', what, must=must)


def deep(n, key, inner):
    j = json.loads(json.dumps(base))
    v = {'type': 'NFC'} if key == 'normalizer' else {'type': 'Whitespace'}
    for _ in range(n): v = {'type': 'Sequence', inner: [v]}
    s = json.dumps(dict(j, **{key: None}))
    sys.setrecursionlimit(100000)
    return s.replace(f'"{key}": null', f'"{key}": ' + json.dumps(v)).encode()


put('tokenizer.json', b'[' * 10 ** 6); run('tokenizer.json', '10^6 brackets', must=1)
put('tokenizer.json', b'{"a":' * 10 ** 5); run('tokenizer.json', '10^5 braces', must=1)
put('tokenizer.json', deep(500, 'normalizer', 'normalizers')); run('tokenizer.json', '500 sequences')
put('tokenizer.json', deep(500, 'pre_tokenizer', 'pretokenizers')); run('tokenizer.json', '500 sequences')
for n in (2 ** 24, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 63, 2 ** 64, 10 ** 400, -1, 1.5, '5', None):
    variant(f'id {str(n)[:30]}', lambda j: j['model']['vocab'].update(zz=n))
    variant(f'added id {str(n)[:30]}', lambda j: j['added_tokens'][0].update(id=n), must=None)
    variant(f'template id {str(n)[:30]}', lambda j: j['post_processor']['special_tokens']['x'].update(ids=[n]), must=None)
    variant(f'truncation {str(n)[:30]}', lambda j: j.update(truncation={'direction': 'Right', 'max_length': n, 'strategy': 'LongestFirst', 'stride': 0}), must=None)
    variant(f'padding {str(n)[:30]}', lambda j: j.update(padding={'strategy': {'Fixed': n}, 'direction': 'Right', 'pad_to_multiple_of': None, 'pad_id': 0, 'pad_type_id': 0, 'pad_token': '?'}), must=None)
variant('the same id twice', lambda j: j['model']['vocab'].update(zz=2), must=None)
variant('no vocab', lambda j: j['model'].pop('vocab'))
variant('unknown model', lambda j: j['model'].update(type='Zip'))
variant('a merge of what is not there', lambda j: j['model']['merges'].append(['q', 'q']))
variant('an unknown token that is not there', lambda j: j['model'].update(unk_token='nope'), must=None)
variant('a regex without end', lambda j: j['normalizer']['normalizers'][1]['pattern'].update(Regex='(' * 5000))
variant('a slow regex', lambda j: j['normalizer']['normalizers'][1]['pattern'].update(Regex='(a+)+$'), must=None)
put('vocab.txt', b''.join(w + b'\n' for w in [b'[UNK]', b'the', b'the', b'fox', b'the']))
err = run('vocab.txt', 'a token three times', must=0, quiet='--progress=never')
if err is None or err.count('\n') != 1 or 'more than once' not in err:
    bad += 1
    print('a token three times:', err)
put('vocab.txt', b'a' * 10 ** 7 + b'\n[UNK]\n'); run('vocab.txt', 'a token of 10^7 bytes', must=None)
put('vocab.txt', b'\n' * 10 ** 5); run('vocab.txt', 'empty tokens', must=None)
put('vocab.txt', b''); run('vocab.txt', 'empty file', must=1)
put('vocab.txt', b'\0' * 1000); run('vocab.txt', 'NULs', must=None)
put('x.tiktoken', b'AA== 0\nAA== 1\n'); run('x.tiktoken', 'twice', '--pattern=cl100k', must=1)
put('x.tiktoken', b'AA== 99999999999999999999\n'); run('x.tiktoken', 'a huge rank', '--pattern=cl100k', must=1)
put('x.tiktoken', b'A=== 1\n'); run('x.tiktoken', 'no base64', '--pattern=cl100k', must=1)
put('vocab.txt', get('bert-order/vocab.txt'))
n = get('bert-order/vocab.txt').count(b'\n')
for line in (str(n), '4294967296', '18446744073709551616', '-1', 'x', '1.5', '1,2', '0x1'):
    put('ids', (b'1 2\n' + line.encode() + b'\n'))
    p = subprocess.run([EXE, 'decode', '-q', '-V', 'vocab.txt', '-o', 'text', 'ids'], capture_output=True)
    e = p.stderr.decode()
    if p.returncode != 1 or os.path.exists('text') or 'ids: line 2' not in e:
        bad += 1
        print('decode', line, p.returncode, e)
print(bad, 'wrong')
sys.exit(bad > 0)
