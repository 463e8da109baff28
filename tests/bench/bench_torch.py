"""bench_torch - what scripts/bench train sets beside teasel: the same models in PyTorch.

  bench_torch.py step [OPTION]...     times training steps on made-up batches; prints one JSON line
  bench_torch.py curve --init FILE --data FILE --loss-out FILE [OPTION]...
                                      trains on given batches from given weights; a JSON line a step
  bench_torch.py check FOLDER         a reference step (model, batch, grads, adamw5.safetensors)
                                      against this file's model; prints the largest differences
  bench_torch.py version

A step: loss, gradients, their global norm clipped to 1, AdamW (decay 0.01 for tensors of two or
more dimensions).  bert: post-LN, erf GELU, dropout 0.1 at the four usual places, MLM head on the
gathered masked positions with the tied embedding, next-sentence head.  gpt2: pre-LN, tanh GELU,
causal, tied, no dropout.  Query, key and value are one linear, as is fastest.  Nothing is padded
and no mask is given in `step`, which spares the peer work.

Tensors in files have the names of the public checkpoints.  --data is an .npz, each array with the
batches along its first dimension: input_ids; bert also token_type_ids, attention_mask,
next_sentence_label, masked_positions, masked_labels [n, B, M] and masked_weights (0: left out);
gpt2 also labels, already shifted, -100 left out.  Any other name, or - for standard input, is what
bench_batches writes, of which as many batches are taken as --updates says.
"""
import argparse
import gc
import itertools
import json
import os
import resource
import statistics
import sys
import time

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import torch
import torch.nn.functional as F
from torch import nn

SIZES = {
    "bert-mini": dict(kind="bert", layers=4, hidden=256, heads=4, vocab=30522),
    "bert-small": dict(kind="bert", layers=4, hidden=512, heads=8, vocab=30522),
    "bert-base": dict(kind="bert", layers=12, hidden=768, heads=12, vocab=30522),
    "gpt2-l6": dict(kind="gpt2", layers=6, hidden=384, heads=6, vocab=50257),
    "gpt2-124m": dict(kind="gpt2", layers=12, hidden=768, heads=12, vocab=50257),
}


def peak_rss():
    """The process's own peak: ru_maxrss would count the shell that started it."""
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# --- models ----------------------------------------------------------------------------


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.dropout, self.how = c.heads, c.dropout, c.attention
        self.causal = c.kind == "gpt2"
        self.qkv = nn.Linear(c.hidden, 3 * c.hidden)
        self.out = nn.Linear(c.hidden, c.hidden)

    def forward(self, x, mask):
        b, t, h = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, h // self.heads).permute(2, 0, 3, 1, 4)
        p = self.dropout if self.training else 0.0
        if self.how == "sdpa":
            y = F.scaled_dot_product_attention(q, k, v, mask, p, self.causal)
        else:
            s = q @ k.transpose(-2, -1) * (h // self.heads) ** -0.5
            if self.causal:
                s = s.masked_fill(torch.ones(t, t, dtype=torch.bool).triu(1), -torch.inf)
            if mask is not None:
                s = s.masked_fill(~mask, -torch.inf)
            y = F.dropout(s.softmax(-1), p, p > 0) @ v
        return self.out(y.transpose(1, 2).reshape(b, t, h))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.bert = c.kind == "bert"
        eps = 1e-12 if self.bert else 1e-5
        self.attn = Attention(c)
        self.ln1, self.ln2 = nn.LayerNorm(c.hidden, eps), nn.LayerNorm(c.hidden, eps)
        self.up, self.down = nn.Linear(c.hidden, c.ffn), nn.Linear(c.ffn, c.hidden)
        self.drop = nn.Dropout(c.dropout)
        self.gelu = nn.GELU("none" if self.bert else "tanh")

    def mlp(self, x):
        return self.drop(self.down(self.gelu(self.up(x))))

    def forward(self, x, mask):
        if self.bert:
            x = self.ln1(x + self.drop(self.attn(x, mask)))
            return self.ln2(x + self.mlp(x))
        x = x + self.drop(self.attn(self.ln1(x), mask))
        return x + self.mlp(self.ln2(x))


class Bert(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.words = nn.Embedding(c.vocab, c.hidden)
        self.places = nn.Embedding(c.places, c.hidden)
        self.types = nn.Embedding(2, c.hidden)
        self.ln = nn.LayerNorm(c.hidden, 1e-12)
        self.drop = nn.Dropout(c.dropout)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.layers))
        self.pool, self.next = nn.Linear(c.hidden, c.hidden), nn.Linear(c.hidden, 2)
        self.dense = nn.Linear(c.hidden, c.hidden)
        self.dense_ln = nn.LayerNorm(c.hidden, 1e-12)
        self.bias = nn.Parameter(torch.zeros(c.vocab))

    def forward(self, ids, types, mask, at, labels, follows):
        t = ids.shape[1]
        x = self.words(ids) + self.places.weight[:t] + self.types(types)
        x = self.drop(self.ln(x))
        for block in self.blocks:
            x = block(x, mask)
        m = self.dense_ln(F.gelu(self.dense(x.flatten(0, 1)[at])))
        mlm = F.cross_entropy(F.linear(m, self.words.weight, self.bias), labels)
        nsp = F.cross_entropy(self.next(torch.tanh(self.pool(x[:, 0]))), follows)
        return mlm + nsp, mlm

    @staticmethod
    def names(c):
        e, p = "bert.embeddings.", "cls.predictions."
        yield from (("words.weight", e + "word_embeddings.weight"),
                    ("places.weight", e + "position_embeddings.weight"),
                    ("types.weight", e + "token_type_embeddings.weight"),
                    ("ln", e + "LayerNorm"), ("pool", "bert.pooler.dense"),
                    ("next", "cls.seq_relationship"), ("dense", p + "transform.dense"),
                    ("dense_ln", p + "transform.LayerNorm"), ("bias", p + "bias"))
        for i in range(c.layers):
            to, name = f"blocks.{i}.", f"bert.encoder.layer.{i}."
            q = name + "attention.self."
            yield to + "attn.qkv", (q + "query", q + "key", q + "value")
            yield to + "attn.out", name + "attention.output.dense"
            yield to + "ln1", name + "attention.output.LayerNorm"
            yield to + "up", name + "intermediate.dense"
            yield to + "down", name + "output.dense"
            yield to + "ln2", name + "output.LayerNorm"


class Gpt2(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.words = nn.Embedding(c.vocab, c.hidden)
        self.places = nn.Embedding(c.places, c.hidden)
        self.drop = nn.Dropout(c.dropout)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.layers))
        self.ln = nn.LayerNorm(c.hidden, 1e-5)

    def forward(self, ids, labels):
        x = self.drop(self.words(ids) + self.places.weight[: ids.shape[1]])
        for block in self.blocks:
            x = block(x, None)
        logits = F.linear(self.ln(x), self.words.weight)
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        return loss, loss

    @staticmethod
    def names(c):
        yield from (("words.weight", "wte.weight"), ("places.weight", "wpe.weight"), ("ln", "ln_f"))
        for i in range(c.layers):
            to, name = f"blocks.{i}.", f"h.{i}."
            for a, b in (("ln1", "ln_1"), ("ln2", "ln_2"), ("attn.qkv", "attn.c_attn"),
                         ("attn.out", "attn.c_proj"), ("up", "mlp.c_fc"), ("down", "mlp.c_proj")):
                yield to + a, name + b


def flat_names(c):
    """(parameter here, names in the file, whether the file's is transposed)"""
    for here, names in (Bert if c.kind == "bert" else Gpt2).names(c):
        names = names if isinstance(names, tuple) else (names,)
        if here == "bias" or here.endswith(".weight"):
            yield here, names, False
            continue
        for part in ("weight", "bias"):
            turned = c.kind == "gpt2" and part == "weight" and ".c_" in names[0]
            yield f"{here}.{part}", tuple(f"{n}.{part}" for n in names), turned


def from_file(tensors, names, turned):
    """The parameter that a checkpoint keeps as these tensors; old ones say gamma and beta."""
    def one(name):
        tries = [name, name.replace(".weight", ".gamma").replace(".bias", ".beta"),
                 name.removeprefix("bert."), "transformer." + name]
        for n in tries:
            if n in tensors:
                return tensors[n]
        sys.exit(f"bench_torch: no tensor {name}")

    t = torch.cat([one(n) for n in names]) if len(names) > 1 else one(names[0])
    return t.T.contiguous() if turned else t


def make(c):
    """The model, with weights of a file or random ones of standard deviation 0.02."""
    torch.manual_seed(1)
    tensors = None
    if c.init:
        from safetensors.torch import load_file

        tensors = load_file(c.init)
        words = from_file(tensors, ["wte.weight" if c.kind == "gpt2" else
                                    "bert.embeddings.word_embeddings.weight"], False)
        c.vocab, c.hidden = words.shape
        c.places = from_file(tensors, ["wpe.weight" if c.kind == "gpt2" else
                                       "bert.embeddings.position_embeddings.weight"],
                             False).shape[0]
    model = (Bert if c.kind == "bert" else Gpt2)(c)
    with torch.no_grad():
        if tensors:
            own = dict(model.named_parameters())
            for here, names, turned in flat_names(c):
                own[here].copy_(from_file(tensors, names, turned))
        else:
            for p in model.parameters():
                if p.dim() > 1:
                    p.normal_(0, 0.02)
    return model.train()


def adamw(c, model):
    many = [p for p in model.parameters() if p.dim() > 1]
    one = [p for p in model.parameters() if p.dim() < 2]
    groups = [dict(params=many, weight_decay=c.decay), dict(params=one, weight_decay=0.0)]
    how = {"fused": dict(fused=True), "foreach": dict(foreach=True), "loop": dict(foreach=False)}
    return torch.optim.AdamW(groups, lr=c.lr, betas=(0.9, 0.999), eps=1e-8, **how[c.optimizer])


def steps_of(c, model, optimizer):
    """A function that trains on a batch; returns the losses, as tensors."""
    def loss_of(*batch):
        with torch.autocast("cpu", torch.bfloat16, enabled=c.dtype == "bf16"):
            return model(*batch)

    if c.compile:
        loss_of = torch.compile(loss_of, mode=None if c.compile == "default" else c.compile)
    parameters = list(model.parameters())

    def step(batch, lr=None):
        if lr is not None:
            for g in optimizer.param_groups:
                g["lr"] = lr
        losses = loss_of(*batch)
        losses[0].backward()
        if c.clip:
            nn.utils.clip_grad_norm_(parameters, c.clip, foreach=c.optimizer != "loop")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return losses

    return step


# --- step: how fast --------------------------------------------------------------------


def made_up(c):
    g = torch.Generator().manual_seed(7)
    def ids(*shape):
        return torch.randint(0, c.vocab, shape, generator=g)

    if c.kind == "gpt2":
        t = ids(c.batch, c.seq + 1)
        return t[:, :-1].contiguous(), t[:, 1:].contiguous()
    n = c.masked or round(0.15 * c.batch * c.seq)
    # n / batch of each sequence, the remainder one by one
    at = [b * c.seq + p for b in range(c.batch)
          for p in sorted(torch.randperm(c.seq, generator=g)[
              : (b + 1) * n // c.batch - b * n // c.batch].tolist())]
    types = torch.arange(c.seq).ge(c.seq // 2).long().expand(c.batch, c.seq).contiguous()
    follows = torch.randint(0, 2, (c.batch,), generator=g)
    return ids(c.batch, c.seq), types, None, torch.tensor(at), ids(n), follows


def time_steps(c):
    imported = peak_rss()
    model = make(c)
    step, batch = steps_of(c, model, adamw(c, model)), made_up(c)
    begin = time.perf_counter()
    for _ in range(c.warmup):
        step(batch)
    warm, took, cpu = time.perf_counter() - begin, [], time.process_time()
    gc.collect()
    gc.disable()
    begin = time.perf_counter()
    while len(took) < c.steps and (len(took) < 3 or time.perf_counter() - begin < c.seconds):
        from_ = time.perf_counter()
        loss = step(batch)[0]
        took.append(time.perf_counter() - from_)
    tokens = c.batch * c.seq
    print(json.dumps({
        "tokens_per_s": round(tokens / statistics.median(took), 1),
        "tokens_per_s_best": round(tokens / min(took), 1),
        "peak_rss_bytes": peak_rss(), "import_rss_bytes": imported,
        "parameters": sum(p.numel() for p in model.parameters()),
        "steps": len(took), "warm_s": round(warm, 1),
        "cpu_s_a_step": round((time.process_time() - cpu) / len(took), 4),
        "loss": round(loss.item(), 4), "model": c.model or c.kind, "batch": c.batch, "seq": c.seq,
        "dtype": c.dtype, "threads": c.threads, "attention": c.attention,
        "optimizer": c.optimizer, "compile": c.compile, "onednn": not c.no_onednn,
        "torch": torch.__version__}))


# --- curve: the same data, weights and schedule as ours --------------------------------


def streamed(f):
    """The batches of bench_batches."""
    import numpy

    head = json.loads(f.readline())
    b, t, m = head["rows"], head["tokens"], head["masks"]
    for _ in range(head["batches"]):
        got = f.read(4 * (2 * b * t + 2 * b + 2 * m))
        x = torch.from_numpy(numpy.frombuffer(got, "<i4").astype("int64"))
        ids, types, lengths, follows, at, labels = x.split([b * t, b * t, b, b, m, m])
        yield {"input_ids": ids.view(b, t), "token_type_ids": types.view(b, t),
               "attention_mask": torch.arange(t)[None, :] < lengths[:, None],
               "next_sentence_label": torch.where(follows < 0, -100, follows),
               "masked_positions": at[at >= 0], "masked_labels": labels[at >= 0]}


def batches(c):
    import numpy

    if not c.data.endswith(".npz"):
        with sys.stdin.buffer if c.data == "-" else open(c.data, "rb") as f:
            yield from streamed(f)
        return

    with numpy.load(c.data) as z:
        arrays = {k: torch.from_numpy(z[k].astype("int64" if z[k].dtype.kind != "f" else "float32"))
                  for k in z.files}
    for i in range(arrays["input_ids"].shape[0]):
        yield {k: v[i] for k, v in arrays.items()}


def as_batch(c, r):
    if c.kind == "gpt2":
        return r["input_ids"], r["labels"]
    ids, at, labels = r["input_ids"], r["masked_positions"], r["masked_labels"]
    if at.dim() > 1:
        at = at + torch.arange(at.shape[0])[:, None] * ids.shape[1]
        keep = r["masked_weights"] > 0 if "masked_weights" in r else torch.ones_like(at).bool()
        at, labels = at[keep], labels[keep]
    mask = r.get("attention_mask")
    mask = None if mask is None or bool(mask.all()) else mask.bool()[:, None, None, :]
    return ids, r["token_type_ids"], mask, at, labels, r["next_sentence_label"].flatten()


def rate(c, t, total):
    """Of update t, from 1: up linearly to lr at update warmup_updates, down to 0 at the last."""
    if t <= c.warmup_updates:
        return c.lr * t / c.warmup_updates
    return c.lr * (total - t) / max(1, total - c.warmup_updates)


def train_curve(c):
    data = batches(c) if c.updates and not c.data.endswith(".npz") else list(batches(c))
    total = c.updates or len(data)
    data = itertools.cycle(data) if isinstance(data, list) else data
    rates = [rate(c, t, total) for t in range(1, total + 1)]
    if c.lr_file:
        with open(c.lr_file) as f:
            rates = [float(x) for x in f.read().split()]
    model = make(c)
    step = steps_of(c, model, adamw(c, model))
    begin = time.perf_counter()
    t = -1
    with open(c.loss_out, "w") as out:
        for t, r in zip(range(min(total, len(rates))), data):
            loss, mlm = step(as_batch(c, r), rates[t])
            out.write(json.dumps({"step": t + 1, "loss": loss.item(), "mlm_loss": mlm.item(),
                                  "lr": rates[t]}) + "\n")
    print(json.dumps({"updates": t + 1, "seconds": round(time.perf_counter() - begin, 2),
                      "peak_rss_bytes": peak_rss()}))


# --- check: a reference step -----------------------------------------------------------


def check(folder):
    from safetensors import safe_open
    from safetensors.torch import load_file

    def load(name):
        return load_file(os.path.join(folder, name + ".safetensors"))

    with safe_open(os.path.join(folder, "model.safetensors"), "pt") as f:
        said = f.metadata()
    weights = load("model")
    kind = "gpt2" if "wte.weight" in weights else "bert"
    words = weights["wte.weight" if kind == "gpt2" else "bert.embeddings.word_embeddings.weight"]
    heads = int(next(v for k, v in said.items() if k.lower() in ("a", "heads", "n_head",
                                                                 "num_attention_heads")))
    layers = len({k.split("." + s + ".")[1].split(".")[0] if s == "layer" else k.split(".")[1]
                  for s in (["layer"] if kind == "bert" else ["h"]) for k in weights
                  if f".{s}." in "." + k})
    places = next(v for k, v in weights.items() if "wpe" in k or "position_emb" in k).shape[0]
    batch = {k: v.long() for k, v in load("batch").items()}
    for how in ("sdpa", "plain"):
        c = parser().parse_args(["curve", "--model", kind, "--lr", "1e-3", "--clip", "0",
                                 "--attention", how, "--heads", str(heads), "--init",
                                 os.path.join(folder, "model.safetensors")])
        finish(c)
        c.layers, c.places, c.dropout = layers, places, 0.0
        c.vocab, c.hidden = words.shape
        c.ffn = 4 * c.hidden
        model = make(c)
        loss = model(*as_batch(c, batch))[0]
        loss.backward()
        grads, own, worst = load("grads"), dict(model.named_parameters()), 0.0
        skip = "attention.self.key.bias"  # its true gradient is 0
        for here, names, turned in flat_names(c):
            true = from_file(grads, [n for n in names], turned).double()
            if not any(skip in n for n in names):
                worst = max(worst, ((own[here].grad - true).abs().max() / true.abs().max()).item())
        print(f"{kind} {how}: loss off by {abs(loss.item() - load('forward')['loss'].item()):.2g},"
              f" gradients by at most {worst:.2g} of a tensor's largest")
        for p in model.parameters():
            p.grad = None
        step = steps_of(c, model, adamw(c, model))
        for _ in range(5):
            step(as_batch(c, batch))
        after, off = load("adamw5"), []
        for here, names, turned in flat_names(c):
            true = from_file(after, [n for n in names], turned).double()
            d = (own[here].detach() - true).abs().flatten()
            if here.endswith("qkv.bias"):  # key biases: rounding noise alone
                d = torch.cat([d[: c.hidden], d[2 * c.hidden:]])
            off.append(d)
        off = torch.cat(off)
        print(f"{kind} {how}: after 5 steps {100 * (off < 1e-5).double().mean().item():.3f} %"
              f" within 1e-5, all within {off.max().item():.2g}")


# --- arguments -------------------------------------------------------------------------


def parser():
    p = argparse.ArgumentParser(allow_abbrev=False)
    p.add_argument("what", choices=["step", "curve"])
    p.add_argument("--model", default="bert-mini", help="bert, gpt2, or one of " + " ".join(SIZES))
    for name in ("layers", "hidden", "heads", "ffn", "vocab", "places", "masked"):
        p.add_argument("--" + name, type=int, default=0)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--seq", type=int, default=128)
    p.add_argument("--dropout", type=float, default=-1)
    p.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--interop", type=int, default=0)
    p.add_argument("--attention", choices=["sdpa", "plain"], default="sdpa")
    p.add_argument("--optimizer", choices=["fused", "foreach", "loop"], default="fused")
    p.add_argument("--compile", nargs="?", const="default", default="")
    p.add_argument("--no-onednn", action="store_true")
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--warmup", type=int, default=3)
    p.add_argument("--seconds", type=float, default=60, help="no more steps after that")
    p.add_argument("--lr", type=float, default=1e-4)
    p.add_argument("--decay", type=float, default=0.01)
    p.add_argument("--clip", type=float, default=1.0)
    p.add_argument("--init")
    p.add_argument("--data")
    p.add_argument("--loss-out")
    p.add_argument("--updates", type=int, default=0)
    p.add_argument("--warmup-updates", type=int, default=0)
    p.add_argument("--lr-file", help="the learning rate of each update, one a line")
    return p


def finish(c):
    sizes = SIZES.get(c.model) or dict(SIZES["gpt2-l6" if c.model == "gpt2" else "bert-mini"])
    c.kind = sizes["kind"]
    for k in ("layers", "hidden", "heads", "vocab"):
        setattr(c, k, getattr(c, k) or sizes[k])
    c.ffn = c.ffn or 4 * c.hidden
    c.places = c.places or (512 if c.kind == "bert" else 1024)
    if c.dropout < 0:
        c.dropout = 0.1 if c.kind == "bert" and c.what == "step" else 0.0
    torch.set_num_threads(c.threads)
    if c.interop:
        torch.set_num_interop_threads(c.interop)
    torch.backends.mkldnn.enabled = not c.no_onednn


def main():
    if sys.argv[1:] == ["version"]:
        print(torch.__version__, torch.backends.cpu.get_cpu_capability(),
              *[x.strip().removeprefix("- ") for x in torch.__config__.show().splitlines()
                if "Math Kernel" in x or "MKL-DNN" in x], sep="; ")
    elif sys.argv[1:2] == ["check"] and len(sys.argv) == 3:
        check(sys.argv[2])
    else:
        c = parser().parse_args()
        finish(c)
        time_steps(c) if c.what == "step" else train_curve(c)


main()
