#!/usr/bin/env python3
"""trained.py - loads vocabularies that `ctok train` made into the libraries of their kind, and
compares ids.  By hand: needs PyPI's tokenizers and sentencepiece.

    tests/peers/trained.py CTOK CORPUS LINES DIR [KIND...]   DIR: for the vocabularies

SentencePiece 0.2 breaks a tie of Unigram otherwise than 0.1.99 and we do, about once in 10,000 lines.
"""
import subprocess, sys, time, os, random

ctok, corpus, lines, folder = sys.argv[1:5]
kinds = {
    'bpe-gpt2': ['--model=bpe', '--size=32000'],
    'bpe-cl100k': ['--model=bpe', '--pattern=cl100k', '--size=32000'],
    'bpe-o200k': ['--model=bpe', '--pattern=o200k', '--size=32000'],
    'bpe-prefix': ['--model=bpe', '--prefix-space', '--size=8000', '--user-symbols=the,@@'],
    'wordpiece': ['--model=wordpiece', '--size=30000'],
    'wordpiece-cased': ['--model=wordpiece', '--cased', '--size=30000', '--user-symbols=the,@@'],
    'wordpiece-likelihood': ['--model=wordpiece', '--score=likelihood', '--size=30000'],
    'spm-bpe': ['--model=bpe', '--ties=spm', '--size=32000'],
    'spm-bpe-fallback': ['--model=bpe', '--ties=spm', '--size=16000', '--byte-fallback',
                         '--split-digits', '--user-symbols=the,@@'],
    'unigram': ['--model=unigram', '--size=32000'],
    'unigram-fallback': ['--model=unigram', '--size=16000', '--byte-fallback', '--split-digits',
                         '--user-symbols=the,@@'],
}
only = sys.argv[5:]
texts = open(lines, encoding='utf-8', newline='\n').read().split('\n')[:-1]
bad = 0
for name, options in kinds.items():
    if only and name not in only:
        continue
    where = os.path.join(folder, name)
    t = time.time()
    r = subprocess.run([ctok, 'train', '-v', '-o', where, *options, corpus], capture_output=True, text=True)
    took = time.time() - t
    if r.returncode:
        print(name, 'FAILED', r.stderr)
        bad = 1
        continue
    print(name, r.stderr.strip().split('\n')[-1])
    out = subprocess.run([ctok, 'encode', '-V', where, lines], capture_output=True, check=True)
    ours = [[int(x) for x in l.split()] for l in out.stdout.decode().split('\n')[:-1]]
    peers = []
    if os.path.exists(where + '/tokenizer.json'):
        import tokenizers
        tk = tokenizers.Tokenizer.from_file(where + '/tokenizer.json')
        theirs = [e.ids for e in tk.encode_batch(texts, add_special_tokens=False)]
        peers.append(('tokenizers', tk.get_vocab_size(), theirs))
    if os.path.exists(where + '/tokenizer.model'):
        import sentencepiece
        sp = sentencepiece.SentencePieceProcessor(model_file=where + '/tokenizer.model')
        peers.append(('sentencepiece', sp.get_piece_size(), sp.encode(texts)))
    for peer, n, theirs in peers:
        differ = [i for i in range(len(texts)) if ours[i] != theirs[i]]
        tokens = sum(map(len, theirs))
        print(f'    {peer}: {n} ids; {len(texts)} lines, {tokens} tokens, {len(differ)} lines differ; {took:.2f} s')
        if len(ours) != len(texts) or differ:
            bad = 1
            for i in differ[:3]:
                print('   ', repr(texts[i][:100]), ours[i][:20], theirs[i][:20])
sys.exit(bad)
