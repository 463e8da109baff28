#!/usr/bin/env python3
"""spmtrain.py - trains with `ctok train` and with spm_train (without one, PyPI's sentencepiece), with
the same options, and compares the pieces: how many are in both, and of these how many have scores
within 0.01.  By hand; needs PyPI's sentencepiece for loading.

    tests/peers/spmtrain.py CTOK CORPUS SIZE DIR [NAME...]

BPE is to be alike in all pieces, but for what 0.2 does differently; Unigram in nearly all.
"""
import io, os, shutil, subprocess, sys

import sentencepiece as spm

ctok, corpus, size, folder = sys.argv[1:5]
CASES = {
    'defaults': ('', {}),
    'identity': ('--normalization=identity', dict(normalization_rule_name='identity')),
    'cf': ('--normalization=nmt_nfkc_cf', dict(normalization_rule_name='nmt_nfkc_cf')),
    'suffix': ('--whitespace-suffix', dict(treat_whitespace_as_suffix=True)),
    'across': ('--no-split-by-whitespace', dict(split_by_whitespace=False)),
    'script': ('--no-split-by-script', dict(split_by_unicode_script=False)),
    'number': ('--no-split-by-number', dict(split_by_number=False)),
    'digits': ('--split-digits', dict(split_digits=True)),
    'blanks': ('--keep-extra-spaces --whitespace-tokens --normalization=identity',
               dict(remove_extra_whitespaces=False, allow_whitespace_only_pieces=True,
                    normalization_rule_name='identity')),
    'nodummy': ('--no-dummy-prefix', dict(add_dummy_prefix=False)),
    'length': ('--max-token-length=5', dict(max_sentencepiece_length=5)),
    'line': ('--max-line=200', dict(max_sentence_length=200)),
    'coverage': ('--coverage=0.98 --required-chars=☃Ω', dict(character_coverage=0.98, required_chars='☃Ω')),
    'bytes': ('--byte-fallback', dict(byte_fallback=True)),
    'symbols': ('--user-symbols=the,@@ --control-symbols=<sep>,of',
                dict(user_defined_symbols=['the', '@@'], control_symbols=['<sep>', 'of'])),
    'ids': ('--specials=<pad>,<u>,<s>,<e> --unk-piece=<u> --eos-piece=<e>',
            dict(pad_id=0, unk_id=1, bos_id=2, eos_id=3, unk_piece='<u>', eos_piece='<e>')),
    'em': ('--seed-pieces=5000 --shrink=0.6 --em-steps=3',
           dict(seed_sentencepiece_size=5000, shrinking_factor=0.6, num_sub_iterations=3)),
}
for kind in os.environ.get('KINDS', 'bpe unigram').split():
    for name, (ours, theirs) in CASES.items():
        if (sys.argv[5:] and name not in sys.argv[5:]) or (name == 'em' and kind == 'bpe'):
            continue
        where = os.path.join(folder, f'{kind}-{name}')
        model = ['--model=bpe', '--ties=spm'] if kind == 'bpe' else ['--model=unigram']
        r = subprocess.run([ctok, 'train', *model, f'--size={size}', '-o', where, *ours.split(), corpus],
                           capture_output=True, text=True)
        if r.returncode:
            print(kind, name, 'FAILED', r.stderr)
            continue
        theirs = dict(theirs, input=corpus, vocab_size=int(size), model_type=kind, hard_vocab_limit=False,
                      minloglevel=2, num_threads=1)
        if shutil.which('spm_train'):
            options = {k: ','.join(v) if isinstance(v, list) else str(v).lower() if isinstance(v, bool) else str(v)
                       for k, v in theirs.items()}
            r2 = subprocess.run(['spm_train', f'--model_prefix={where}/peer',
                                 *(f'--{k}={v}' for k, v in options.items())], capture_output=True, text=True)
            if r2.returncode:
                print(kind, name, 'spm_train:', r2.stderr.strip().split('\n')[-1])
                continue
            proto = open(where + '/peer.model', 'rb').read()
        else:
            out = io.BytesIO()
            spm.SentencePieceTrainer.train(model_writer=out, **theirs)
            proto = out.getvalue()
        a = spm.SentencePieceProcessor(model_file=where + '/tokenizer.model')
        b = spm.SentencePieceProcessor(model_proto=proto)
        pieces = [{m.id_to_piece(i): (i, m.get_score(i)) for i in range(m.get_piece_size())} for m in (a, b)]
        both = [p for p in pieces[0] if p in pieces[1]]
        close = sum(abs(pieces[0][p][1] - pieces[1][p][1]) < 0.01 for p in both)
        ids = sum(pieces[0][p][0] == pieces[1][p][0] for p in both)
        special = [f(a) == f(b) for f in (lambda m: m.unk_id(), lambda m: m.bos_id(), lambda m: m.eos_id(),
                                          lambda m: m.pad_id())]
        kinds = all(getattr(a, f)(pieces[0][p][0]) == getattr(b, f)(pieces[1][p][0]) for p in both
                    for f in ('is_control', 'is_byte', 'is_unknown'))
        lines = open(corpus, encoding='utf-8').read().split('\n')
        tokens = [sum(map(len, m.encode(lines))) for m in (a, b)]
        print(f'{kind:8} {name:10} {len(pieces[0])} and {len(pieces[1])} pieces, {len(both)} in both, {close} scores close, '
              f'{ids} ids alike; tokens {tokens[0]} {tokens[1]}' + ('' if all(special) and kinds else '  SPECIALS DIFFER'),
              r.stderr.strip().replace('\n', ' | '))
        only = [sorted(set(pieces[i]) - set(pieces[1 - i]), key=lambda p: pieces[i][p][0])[:8] for i in (0, 1)]
        if only[0] or only[1]:
            print('        ', *only)
