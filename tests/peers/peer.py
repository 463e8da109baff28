"""peer.py - what the scripts here share: a Python of their own with the peers in it, hard texts,
and ctok's answers.

The packages live in build/peers-venv (TEASEL_PEERS_VENV: elsewhere), made at the first run."""
import json, os, random, struct, subprocess, sys, unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def venv(*packages):
    """Starts the script again in a virtual environment that has these packages."""
    where = os.environ.get('TEASEL_PEERS_VENV', os.path.join(ROOT, 'build', 'peers-venv'))
    python = os.path.join(where, 'bin', 'python')
    if os.path.abspath(sys.prefix) != os.path.abspath(where):
        if not os.path.exists(python):
            subprocess.run([sys.executable, '-m', 'venv', where], check=True)
        os.execv(python, [python] + sys.argv)
    missing = []
    for p in packages:
        try:
            __import__(p.split('=')[0])
        except ImportError:
            missing.append(p)
    if missing:
        subprocess.run([python, '-m', 'pip', 'install', '-q', *missing], check=True)


# ---- texts -------------------------------------------------------------------------------

BLOCKS = 0x110000 >> 7
SPACES = ['\t', '\n', '\x0b', '\x0c', '\r', ' ', '\x85', '\xa0', '\u1680', '\u2000', '\u2003',
          '\u2009', '\u2028', '\u2029', '\u202f', '\u205f', '\u3000', '\u180e', '\u200b', '\ufeff',
          '\x1c', '\x1d', '\x1e', '\x1f', '\x00', '\r\n', '  ', '   ', '\n\n', ' \n ', '\t\t']
EMOJI = ['👨\u200d👩\u200d👧\u200d👦', '🏳\ufe0f\u200d🌈', '👍🏽', '🇩🇪🇫🇷', '1\ufe0f\u20e3', '☎\ufe0f', '🤦🏿\u200d♂\ufe0f',
         '\u200d', '\ufe0f', '🇩', '\U000e0067\U000e0062', '❤\ufe0f\u200d🔥']
CONTRACTIONS = ["'s", "'S", "'t", "'re", "'RE", "'ve", "'Ll", "'ll", "'m", "'d", "'ſ", "’s", "''s", "' s", "n't",
                " do not", " 's", " ."]
WORDS = ['the', 'The', 'THE', 'of', 'and', 'unaffable', 'Tokenizers', 'naïve', 'café', 'cafe\u0301', 'Straße', 'ΟΔΥΣΣΕΥΣ',
         'ὈΔΥΣΣΕΎΣ', 'İstanbul', 'ıI', 'ǅ', 'ﬁne', 'ﬀ', 'Ⅷ', '㍿', '½', '①②', '１２３', 'ｱｲｳﾞ', 'か\u3099', 'カ\u309a',
         '中文', '漢字かな', '北京大学', '我愛你', '東京タワー', '한국어', '각', '\u1100\u1161\u11a8', '\u1100\u1161', '\u1112\u1161\u11ab글',
         'السلام', 'עליכם', 'שָׁלוֹם', 'हिन्दी', 'ไทย', 'ภาษาไทย', 'தமிழ்', 'বাংলা', 'Việt', 'Việt', 'привет', 'Ё', 'Й', 'Ѐ',
         'ÅÅÅ', 'q\u0307\u0323', 'q\u0323\u0307', '\u0344', '\u0f71\u0f72', '\u0f73', '\ud7b0'.encode('utf-16', 'surrogatepass').decode('utf-16'),
         'x²', 'm³', '٣٤٥', '१२३', '1,234.5', '3.14', '2024-01-01', '00000', '12345678901234567890', 'a1b2c3',
         'http://a.b/c?d=e&f#g', 'user@host', '__init__', 'snake_case', 'camelCase', 'HTTPServer', '#tag', '$5', '€', '₩',
         '<s>', '</s>', '<unk>', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '[PAD]', '<|endoftext|>', '<mask>', '<0x0A>', '<pad>',
         '<|endofprompt|>', '<|fim_prefix|>', '▁', '▁▁', '▁the', 'Ġ', 'Ġthe', 'Ċ', '##ing', '@@', '</w>', '�', '\ufffe', '\uffff',
         '\U0010ffff', '\U000f0000', '\ue000', '\xad', 'co\xadop', '\u202eabc\u202c', '\u200fא', '\u2066x\u2069', '…', '—', '“q”',
         '。', '！？', '、', '「」', '.', '!', '?', '...', '!!!', ',', "'", '"', '^', '^^^', '~', '`', '|', '\\', '//', '/', '=', '+',
         '\u0130', 'ŉ', '\u1e9e', 'ΐ', '\u0345', '\u1f88', '\u2126', '\u212a', '\u212b', '\ufb1d', '\u0958', '\u2adc', '\u0340',
         '\u037e', '\u0387', '\u1fef', '\u2000\u2001', '\uac00\u11a7', '\uac00\u11a8', '\uac01\u11a8', '𝐀𝐛𝟗', '𐐀𐐨', '𞤀𞤢', '𠀀𪜀',
         '\U0001d15e', '\U0001d1c0', '\u3131', '\uffa1', '㈀', '㋿', '\u32ff', '\U00011938', '\U0001f100', 'ʰ', 'ª', 'Ⓐⓐ', '\U0001f170']


def cp_any(r):
    while True:
        c = r.choice((lambda: r.randrange(0x110000), lambda: r.randrange(0x3000), lambda: r.randrange(0x20000),
                      lambda: r.randrange(0x500)))()
        if not 0xd800 <= c < 0xe000:
            return chr(c)


MARKS = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c))[0] == 'M']
DIGITS = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c))[0] == 'N']
PUNCT = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c))[0] in 'PS']
HANGUL = [chr(c) for c in (*range(0x1100, 0x1200), *range(0xa960, 0xa97d), *range(0xd7b0, 0xd7fc))]


def cp_block(r):
    while True:
        b = r.randrange(BLOCKS)
        if b < (0x20000 >> 7) or r.random() < .05:
            break
    return ''.join(chr(c) for _ in range(r.randrange(1, 6)) for c in [b * 128 + r.randrange(128)]
                   if not 0xd800 <= c < 0xe000)


def bit(r, extra):
    """One thing to put in a text."""
    k = r.randrange(24)
    if k < 5: return r.choice(WORDS)
    if k < 7: return ' ' + r.choice(WORDS)
    if k == 7: return r.choice(SPACES)
    if k == 8: return r.choice(EMOJI)
    if k == 9: return r.choice(CONTRACTIONS)
    if k == 10: return cp_any(r)
    if k == 11: return cp_block(r)
    if k == 12: return ''.join(r.choice(MARKS) for _ in range(r.randrange(1, 5)))
    if k == 13: return r.choice('aeounAEOUN') + ''.join(r.choice('\u0300\u0301\u0308\u0323\u0327\u0328\u0345\u0302') for _ in range(r.randrange(1, 4)))
    if k == 14: return ''.join(r.choice(HANGUL) for _ in range(r.randrange(1, 5)))
    if k == 15: return ''.join(r.choice(DIGITS if r.random() < .4 else '0123456789') for _ in range(r.randrange(1, 8)))
    if k == 16: return r.choice(PUNCT) * r.choice((1, 1, 1, 2, 3, 7))
    if k == 17: return ' ' * r.choice((1, 1, 2, 3, 8))
    if k == 18: return ''.join(r.choice('etaoinshrdluETAOIN') for _ in range(r.randrange(1, 12)))
    if k == 19: return ''.join(chr(r.randrange(0x4e00, 0x9fff)) for _ in range(r.randrange(1, 6)))
    if k == 20: return ''.join(chr(r.randrange(0xac00, 0xd7a4)) for _ in range(r.randrange(1, 4)))
    if k == 21: return r.choice((' ', '\n', '\t', '')) + r.choice(extra)
    if k == 22: return r.choice(extra)
    return chr(r.randrange(0x20, 0x7f))


def text(r, extra=('',)):
    k = r.randrange(40)
    if k == 0: return ''
    if k == 1: return r.choice(SPACES) * r.randrange(1, 5)
    if k == 2: return r.choice('aA^ 0é中한.!\t\u0301')  * r.randrange(1, 300)
    if k == 3: return ''.join(r.choice('abcdefgh') for _ in range(r.randrange(90, 260)))
    if k == 4: return ' '.join(r.choice(WORDS) for _ in range(r.randrange(1, 12)))
    return ''.join(bit(r, extra) for _ in range(r.randrange(1, r.choice((3, 6, 12, 30)))))


def broken(r, b):
    """The same with bytes that are no UTF-8."""
    b = bytearray(b)
    for _ in range(r.randrange(1, 4)):
        i = r.randrange(len(b) + 1)
        k = r.randrange(5)
        if k == 0 and i < len(b): del b[i]
        elif k == 1 and i < len(b): b[i] = r.randrange(256)
        elif k == 2: b[i:i] = bytes([r.randrange(128, 256)])
        elif k == 3: b[i:i] = r.choice((b'\xed\xa0\x80', b'\xf4\x90\x80\x80', b'\xc0\x80', b'\xe0\x80', b'\xf0\x9f\x98', b'\xff\xfe', b'\xf8\x88'))
        else: b = b[:i]
    return bytes(b)


def texts(r, n, extra=('',), bad=.1):
    """n texts as bytes; a share of them is ill-formed."""
    out = []
    for _ in range(n):
        b = text(r, extra or ('',)).encode()
        out.append(broken(r, b) if r.random() < bad else b)
    return out


# ---- ctok --------------------------------------------------------------------------------

def rows(texts):
    return b''.join(struct.pack('<I', len(t)) + t for t in texts)


class Failed(Exception):
    pass


def ctok(args, data):
    r = subprocess.run(args, input=data, capture_output=True)
    if r.returncode:
        if r.returncode < 0 or r.returncode > 1 or b'Sanitizer' in r.stderr:
            print('CRASH', r.returncode, args, r.stderr.decode(errors='replace')[-3000:])
        raise Failed(r.stderr.decode(errors='replace').strip())
    return r.stdout


def encode(exe, vocab, texts, *options):
    """A list of {"ids", "tokens", "offsets"}, offsets in bytes."""
    out = ctok([exe, 'encode', '-q', '-V', vocab, '--rows=u32', '--output=jsonl', *options], rows(texts))
    return [json.loads(x) for x in out.decode().split('\n')[:-1]]


def decode(exe, vocab, lists, *options):
    data = ''.join(' '.join(map(str, ids)) + '\n' for ids in lists).encode()
    out = ctok([exe, 'decode', '-q', '-V', vocab, '--rows=u32', *options], data)
    got, at = [], 0
    while at < len(out):
        n = struct.unpack_from('<I', out, at)[0]
        got.append(out[at + 4:at + 4 + n])
        at += 4 + n
    return got
