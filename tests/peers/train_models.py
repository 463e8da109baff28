#!/usr/bin/env python3
"""train_models.py - models beside Hugging Face's: a checkpoint that transformers writes is read by its
names, loss and gradients are its own, and what is written here it opens with nothing missing.  By hand.

    tests/peers/train_models.py [MODEL-STEP]      the program (build/tests/model-step)

transformers computes in float64 from the same float32 weights."""
import json, os, re, subprocess, sys, tempfile
import peer
peer.venv('numpy', 'torch', 'safetensors', 'transformers')
import torch, transformers
from safetensors.torch import load_file, save_file

STEP = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(peer.ROOT, 'build/tests/model-step'))
LOSS, GRADS = 1e-6, 1e-5
B, T, V = 3, 13, 61
LENGTHS = torch.tensor([13, 9, 5])
SIZES = dict(vocab_size=V, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
             max_position_embeddings=20, hidden_dropout_prob=0., attention_probs_dropout_prob=0.)
MASK = (torch.arange(T) < LENGTHS[:, None]).long()


def ids(pad, *shape):
    x = torch.randint(2, V, shape or (B, T))
    return x if shape else torch.where(MASK == 1, x, pad)


def masked(x):
    """Positions and labels of a few tokens, as both sides have them."""
    at = torch.tensor([1, 4, 12, 13, 20, 27, 30])
    what = torch.randint(2, V, at.shape)
    labels = torch.full_like(x, -100)
    labels.view(-1)[at] = what
    return labels, dict(masked_positions=at, masked_labels=what)


def encoder(config, model, pair=None, segments=True, pad=0):
    x = ids(pad)
    labels, ours = masked(x)
    theirs = dict(input_ids=x, attention_mask=MASK, labels=labels)
    ours.update(input_ids=x)
    if segments:
        seg = (torch.arange(T) > 3).long().expand(B, T).contiguous()
        theirs['token_type_ids'] = ours['segment_ids'] = seg
    elif config.type_vocab_size:
        ours['segment_ids'] = torch.zeros_like(x)
    if pair:
        theirs[pair] = ours['pair_labels'] = torch.tensor([0, 1, 1])
    return config, model(config), theirs, ours


def gpt2():
    config = transformers.GPT2Config(vocab_size=V, n_embd=24, n_layer=2, n_head=3, n_positions=20, resid_pdrop=0.,
                                     embd_pdrop=0., attn_pdrop=0., bos_token_id=0, eos_token_id=0)
    x = ids(0)
    labels = torch.where(MASK == 1, x, -100)
    shifted = torch.cat([labels[:, 1:], torch.full((B, 1), -100)], 1)
    return config, transformers.GPT2LMHeadModel(config), dict(input_ids=x, attention_mask=MASK, labels=labels), dict(
        input_ids=x, labels=shifted)


def t5(tied, **more):
    config = transformers.T5Config(vocab_size=V, d_model=24, d_kv=5, d_ff=40, num_layers=2, num_decoder_layers=3,
                                   num_heads=3, relative_attention_num_buckets=8, relative_attention_max_distance=20,
                                   dropout_rate=0., decoder_start_token_id=0, tie_word_embeddings=tied, **more)
    model = transformers.T5ForConditionalGeneration(config)
    if not tied:  # transformers 5 ties what its config leaves untied; a checkpoint has two tables
        model.lm_head.weight = torch.nn.Parameter(torch.randn(V, 24))
    x, target = ids(0), ids(0, B, 8)
    labels = target.clone()
    labels[1, 5:] = -100
    given = torch.cat([torch.zeros(B, 1, dtype=torch.long), target[:, :-1]], 1)
    return config, model, dict(input_ids=x, attention_mask=MASK, decoder_input_ids=given, labels=labels), dict(
        input_ids=x, target_ids=given, target_labels=labels)


CASES = {
    'bert': lambda: encoder(transformers.BertConfig(**SIZES), transformers.BertForPreTraining, 'next_sentence_label'),
    'bert, gelu_new': lambda: encoder(transformers.BertConfig(**SIZES, hidden_act='gelu_new'),
                                      transformers.BertForPreTraining, 'next_sentence_label'),
    'roberta': lambda: encoder(transformers.RobertaConfig(**SIZES, type_vocab_size=1, pad_token_id=1),
                               transformers.RobertaForMaskedLM, segments=False, pad=1),
    'albert': lambda: encoder(transformers.AlbertConfig(**SIZES, embedding_size=11, classifier_dropout_prob=0.),
                              transformers.AlbertForPreTraining, 'sentence_order_label'),
    'albert, two groups': lambda: encoder(
        transformers.AlbertConfig(**{**SIZES, 'num_hidden_layers': 4}, embedding_size=11, num_hidden_groups=2,
                                  classifier_dropout_prob=0.), transformers.AlbertForPreTraining, 'sentence_order_label'),
    'roformer': lambda: encoder(transformers.RoFormerConfig(**SIZES, embedding_size=24), transformers.RoFormerForMaskedLM),
    'gpt2': gpt2,
    't5': lambda: t5(True),
    't5 1.1': lambda: t5(False, feed_forward_proj='gated-gelu'),
}


def step(where, batch, *groups, config='config.json'):
    out = os.path.join(where, 'ours' + ''.join(groups))
    os.makedirs(out)
    save_file({k: v.to(torch.int32).contiguous() for k, v in batch.items()}, os.path.join(where, 'batch.safetensors'))
    subprocess.run([STEP, os.path.join(where, config), os.path.join(where, 'model.safetensors'),
                    os.path.join(where, 'batch.safetensors'), out, *groups], check=True)
    return out, load_file(os.path.join(out, 'grads.safetensors'))


def name_of(ours, theirs):
    return ours if ours in theirs else 'transformer.' + ours


def compare(name, where):
    torch.manual_seed(7)
    config, model, theirs, ours = CASES[name]()
    with torch.no_grad():
        for n, p in model.named_parameters():  # nothing at rest: biases and norms, too
            if p.requires_grad:
                p.add_(torch.randn_like(p) * .1)
    model.save_pretrained(where)
    if name == 't5 1.1':
        state = {n: p.detach().clone() for n, p in model.named_parameters()}
        save_file(state, os.path.join(where, 'model.safetensors'), {'format': 'pt'})
        said = json.load(open(os.path.join(where, 'config.json')))
        json.dump({**said, 'tie_word_embeddings': False}, open(os.path.join(where, 'config.json'), 'w'))
    model = model.double().train()
    loss = model(**theirs).loss
    loss.backward()
    out, got = step(where, {**ours, 'lengths': LENGTHS})
    want = {n: p.grad for n, p in model.named_parameters() if p.requires_grad and p.grad is not None}
    error = abs(got.pop('loss').item() - loss.item()) / abs(loss.item())
    top = max(g.abs().max().item() for g in want.values())
    worst, at = 0, ''
    seen = set()
    for n, g in got.items():
        w = want[name_of(n, want)]
        seen.add(name_of(n, want))
        # a gradient that is nearly nothing (of key biases) is judged by the others' size
        e = (g.double() - w).abs().max().item() / max(w.abs().max().item(), 1e-3 * top)
        worst, at = (e, n) if e > worst else (worst, at)
    assert seen == set(want), set(want) ^ seen
    print(f'{name:20} loss {loss.item():.6f} off by {error:.1e}, gradients at most by {worst:.1e} ({at})', flush=True)
    assert error < LOSS and worst < GRADS
    opens(name, out, model, theirs, loss)
    if name.startswith('albert'):
        unshared(where, ours, want, config)


def opens(name, out, model, theirs, loss):
    """What is written here, opened there."""
    again, info = type(model).from_pretrained(out, output_loading_info=True)
    # RoFormer's table of sines is no weight: it is made again where a file lacks it
    wrong = {k: left for k, v in info.items()
             if (left := sorted(str(n) for n in v if not str(n).endswith('embed_positions.weight')))}
    assert not wrong, wrong
    for k in ['scale_decoder_outputs'] if name == 't5 1.1' else []:
        assert getattr(again.config, k) is False
    other = again.double().train()(**theirs).loss
    assert abs(other.item() - loss.item()) < 1e-9, (other, loss)


def unshared(where, batch, shared, config):
    """Four times as many groups start with the same weights: their gradients add up to the shared ones'."""
    groups, layers = config.num_hidden_groups, config.num_hidden_layers
    said = json.load(open(os.path.join(where, 'config.json')))
    json.dump({**said, 'num_hidden_groups': layers}, open(os.path.join(where, 'apart.json'), 'w'))
    out, got = step(where, {**batch, 'lengths': LENGTHS}, str(groups), config='apart.json')
    for n, want in shared.items():
        m = re.match(r'(.*albert_layer_groups\.)(\d+)(\..*)', n)
        if not m:
            continue
        mine = [m[1] + str(i) + m[3] for i in range(layers) if i * groups // layers == int(m[2])]
        total = sum(got[x].double() for x in mine)
        assert (total - want).abs().max() <= 1e-5 * max(want.abs().max(), 1e-3), n
    print(f'{"":20} unshared: {groups} group(s) of weights in {layers}, whose gradients add up')


if __name__ == '__main__':
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name in CASES:
        with tempfile.TemporaryDirectory() as where:
            compare(name, where)
