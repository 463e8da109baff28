"""bench_quality - two runs' losses laid on each other, for scripts/bench quality.

  bench_quality.py OURS.jsonl PEER.jsonl OUT.html [NAME=VALUE]...

Each file has a line of JSON a step with "loss" (and "mlm_loss").  Writes one page with both curves
and their difference, and prints what it came to.  Smoothed: the mean over a window of steps, of
both runs the same ones: a fiftieth of the run, or 50 where that is more, but no more than a fifth.
Exit status 1: somewhere the smoothed losses differ by half a per cent or more.
"""
import html
import json
import math
import sys

MUST = 0.5
WIDTH, LEFT, RIGHT = 900, 60, 15


def losses(path, name):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line)[name] for line in f]


def smooth(x, window):
    out, total = [], sum(x[:window])
    for i in range(window, len(x) + 1):
        out.append(total / window)
        if i < len(x):
            total += x[i] - x[i - window]
    return out


def ticks(low, high, n=5):
    unit = 10 ** math.floor(math.log10((high - low) / n))
    step = next(unit * k for k in (1, 2, 5, 10) if (high - low) / (unit * k) <= n)
    at = math.ceil(low / step) * step
    while at <= high + 1e-12:
        yield round(at, 10)
        at += step


def chart(title, height, steps, low, high, lines, marks=()):
    """lines: (values, colour, width, dashes), thinned to two points a pixel."""
    inner = WIDTH - LEFT - RIGHT
    top, bottom = 30, height - 35
    def x(i):
        return LEFT + inner * i / max(1, steps)
    def y(v):
        return bottom - (bottom - top) * (min(max(v, low), high) - low) / (high - low)
    out = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img"><title>{html.escape(title)}</title>'
           f'<text x="{LEFT}" y="16" class="t">{html.escape(title)}</text>']
    for v in ticks(low, high):
        out.append(f'<path class="g" d="M{LEFT} {y(v):.1f}H{WIDTH - RIGHT}"/>'
                   f'<text x="{LEFT - 6}" y="{y(v) + 4:.1f}" text-anchor="end">{v:g}</text>')
    for v in ticks(0, steps, 8):
        out.append(f'<text x="{x(v):.1f}" y="{bottom + 18}" text-anchor="middle">{v:g}</text>')
    out.append(f'<text x="{WIDTH - RIGHT}" y="{bottom + 32}" text-anchor="end">step</text>')
    for v in marks:
        out.append(f'<path class="m" d="M{LEFT} {y(v):.1f}H{WIDTH - RIGHT}"/>')
    for first, values, colour, width, dashes in lines:
        every = max(1, len(values) // (2 * inner))
        points = " ".join(f"{x(first + i):.1f},{y(values[i]):.1f}"
                          for i in range(0, len(values), every))
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}"'
                   f' stroke-width="{width}" stroke-dasharray="{dashes}"/>')
    return "".join(out) + "</svg>"


PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>teasel and PyTorch, the same run</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>
body{{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em;
color:#222;background:#fff}}
svg{{width:100%;height:auto}}svg text{{font-size:12px;fill:#555}}svg .t{{font-size:14px;fill:#222}}
.g{{stroke:#ddd}}.m{{stroke:#c33;stroke-dasharray:6 4}}
td{{padding:.1em 1em .1em 0}}b.a{{color:#1769aa}}b.b{{color:#e07b00}}
</style></head><body><h1>The same run, twice</h1>
<p><b class="a">teasel</b> (wide) and <b class="b">PyTorch</b> (dashed) from the same weights, with
the same batches in the same order and the same learning rates.</p>
{charts}<table>{rows}</table></body></html>
"""


def main(ours, peer, out, *said):
    a, b = losses(ours, "loss"), losses(peer, "loss")
    steps = min(len(a), len(b))
    window = max(1, min(50, steps // 5), steps // 50)
    if not steps or not all(map(math.isfinite, a[:steps] + b[:steps])):
        sys.exit("bench_quality: losses are missing or not finite")
    a, b = a[:steps], b[:steps]
    sa, sb = smooth(a, window), smooth(b, window)
    off = [100 * (x / y - 1) for x, y in zip(sa, sb)]
    worst = max(off, key=abs)
    each = [abs(100 * (x / y - 1)) for x, y in zip(a, b)]
    rows = [s.split("=", 1) for s in said] + [
        ("steps compared", f"{steps:,}"), ("smoothed over", f"{window} steps"),
        ("first loss", f"{a[0]:.6f} and {b[0]:.6f}"),
        ("last smoothed loss", f"{sa[-1]:.5f} and {sb[-1]:.5f}"),
        ("largest difference, smoothed", f"{worst:+.4f} % (must: below {MUST} %)"),
        ("mean difference, smoothed", f"{sum(map(abs, off)) / len(off):.4f} %"),
        ("largest difference of one step", f"{max(each):.4f} %")]
    low, high = min(sa + sb), max(a[0], b[0], *sa)
    low, high = low - 0.03 * (high - low), high + 0.03 * (high - low)
    most = max(1.2 * MUST, 1.1 * abs(worst))
    first = window - 1
    charts = (
        chart(f"loss, mean of {window} steps", 420, steps, low, high,
              [(first, sa, "#1769aa", 4, "0"), (first, sb, "#e07b00", 1.5, "6 3")])
        + chart("teasel less PyTorch, per cent of the loss", 240, steps, -most, most,
                [(0, [100 * (x / y - 1) for x, y in zip(a, b)], "#bbb", 0.6, "0"),
                 (first, off, "#1769aa", 1.5, "0")], (-MUST, MUST)))
    with open(out, "w", encoding="utf-8") as f:
        f.write(PAGE.format(charts=charts, rows="".join(
            f"<tr><td>{html.escape(k)}</td><td>{html.escape(v)}</td></tr>" for k, v in rows)))
    for k, v in rows:
        print(f"  {k:<32} {v}")
    return abs(worst) >= MUST


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
