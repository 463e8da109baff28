#!/usr/bin/env python3
"""hfregex.py - what regular expressions of one character match, over all code points, against
Hugging Face's library (Oniguruma).  By hand.

    tests/peers/hfregex.py CTOK [PATTERN...]
"""
import json, os, sys, tempfile
import peer
peer.venv('tokenizers==0.23.3')
from tokenizers import normalizers, Regex

PATTERNS = sys.argv[2:] or [r'\p{L}', r'\p{Lu}', r'\p{Ll}', r'\p{Lo}', r'\p{N}', r'\p{Nd}', r'\p{No}', r'\p{Nl}', r'\p{M}', r'\p{P}', r'\p{S}', r'\p{Z}', r'\s', r'\S', r'\d',
    r'\D', r'\w', r'\W', r'\h', r'\p{Han}', r'\p{Greek}', r'\p{Cyrillic}', r'\p{Hangul}', r'\p{Hiragana}', r'\p{Katakana}', r'\p{Arabic}', r'\p{Hebrew}', r'\p{Thai}', r'\p{Devanagari}', r'\p{Common}', r'\p{Latin}',
    r'[[:alpha:]]', r'[[:alnum:]]', r'[[:punct:]]', r'[[:space:]]', r'[[:digit:]]', r'[[:lower:]]', r'[[:upper:]]', r'[[:word:]]', r'[[:xdigit:]]', r'[[:blank:]]', r'[[:cntrl:]]',
    r'[^[:alpha:]]', r'[[:^alpha:]]', r'[^\p{L}\p{N}]', r'[\p{L}&&[^\p{Han}]]', r'[\p{L}\p{N}&&[^a-f\p{Han}]]', r'[^\p{L}&&\p{Han}]', r'[a[^b-z]]', r'[\W_]', r'[^\W_]', r'[^\S\n]', r'[\P{L}]', r'[^\P{L}]',
    r'\p{^L}', r'\P{^L}', r'.', r'(?m).', r'(?i)k', r'(?i)ß', r'(?i:s)', r'\p{Alphabetic}', r'\p{Emoji}', r'\p{Letter}', r'\p{Upper}', r'\p{Alpha}', r'\p{Punct}', r'\p{Space}', r'\p{Any}', r'\p{Word}', r'\O', r'\R', r'\X', r'\N',
    r'[\u4e00-\u9fff]', r'[\x{4e00}-\x{9fff}]', r'\u00e9', r'[a-\d]', r'[&&a]', r'[a&b]', r'[a-z&&[aeiou]&&[a-e]]', r'[一-龥]', r'[\p{Script=Han}]', r'\p{L}{,2}', r'[^\x00-\x7F]', r'\x41', r'\101', r'[\n\r]', r'\t', r'[]a]', r'[^]a]', r'[a\]]', r'\p{Lm}', r'\p{Lt}', r'\p{Mn}', r'\p{Mc}', r'\p{Pd}', r'\p{Sc}', r'\p{So}', r'\p{Cf}', r'\p{Co}', r'\p{Cn}', r'\p{C}', r'\p{Zs}',
    r'[[:graph:]]', r'[[:print:]]', r'[[:ascii:]]', r'\p{Graph}', r'\p{Print}', r'\p{Alnum}', r'\p{Lower}', r'\p{XDigit}', r'\p{Digit}', r'\p{Blank}', r'\p{Cntrl}', r'\p{ASCII}']
# without the insides of the large blocks, whose characters are all alike
skip = {c for a, b in ((0x3410, 0x4da0), (0x4e20, 0x9fe0), (0xac20, 0xd790), (0xd800, 0xe000), (0xe010, 0xf8e0), (0x12f00, 0x13000), (0x17010, 0x18700), (0x20010, 0x2a6c0), (0x2a710, 0x2b730), (0x2b750, 0x2b810), (0x2b830, 0x2ce90),
                       (0x2cec0, 0x2ebd0), (0x2ec00, 0x2ee40), (0x2ee80, 0x2f7f0), (0x2fa30, 0x2ffe0), (0x30010, 0x31330), (0x31360, 0x32390), (0x323d0, 0xe0000), (0xe0200, 0xffff0), (0x100010, 0x10fff0)) for c in range(a, b)}
TEXT = 'x'.join([''] + [chr(c) for c in range(0x110000) if c not in skip and c != ord('x')] + [''])
folder = tempfile.mkdtemp()
vocab = folder + '/tokenizer.json'
bad = 0
for p in PATTERNS:
    try:
        theirs = set(TEXT) - set(normalizers.Replace(Regex(p), '').normalize_str(TEXT))
    except BaseException as e:
        theirs = None
        why = str(e)
    json.dump({'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': [], 'normalizer': {'type': 'Replace', 'pattern': {'Regex': p}, 'content': ''},
               'pre_tokenizer': {'type': 'FixedLength', 'length': 1}, 'post_processor': None, 'decoder': None, 'model': {'type': 'WordLevel', 'vocab': {'?': 0}, 'unk_token': '?'}}, open(vocab, 'w'))
    try:
        o = peer.encode(sys.argv[1], vocab, [TEXT.encode()], '-m', '2G', '--offset-unit=char')[0]['offsets']
        kept = set(TEXT[a:b] for a, b in o)
        ours = set(TEXT) - kept
    except peer.Failed as e:
        print(f'{p:30} refused: {str(e)[-150:]}   peer: {"matches %d" % len(theirs) if theirs is not None else why}')
        bad += theirs is not None
        continue
    if theirs is None:
        print(f'{p:30} the peer refuses: {why}')
    elif ours != theirs:
        bad += 1
        a, b = sorted(ours - theirs), sorted(theirs - ours)
        print(f'{p:30} ours more {len(a)} {[hex(ord(x)) for x in a[:12]]}, peer more {len(b)} {[hex(ord(x)) for x in b[:12]]}')
print(bad, 'patterns differ')
sys.exit(bad > 0)
