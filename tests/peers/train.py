#!/usr/bin/env python3
"""train.py - what a training run leaves, opened by the libraries it is meant for: tensors by PyPI's
safetensors, events by PyPI's tensorboard; and tensors that safetensors wrote, in our fixtures.  By hand.

    tests/peers/train.py [SAMPLE-RUN]      the program (build/tests/sample-run)"""
import glob, json, math, os, struct, subprocess, sys, tempfile
import peer
peer.venv('numpy', 'safetensors', 'tensorboard')
import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

PROGRAM = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(peer.ROOT, 'build/tests/sample-run'))


def tensors(run):
    """Each type, as tests/tools/sample-run.c has it; BF16, which numpy lacks, by its bytes."""
    path = os.path.join(run, 'checkpoint-00020000/model.safetensors')
    want = {'bert.a.weight': np.array([[1, -2, .5], [3e38, 1e-40, 0]], np.float32), 'double': np.array([.1, -1e300]),
            'long': np.array([-5]), 'half': np.array([1, np.inf], np.float16), 'none': np.zeros((0, 7), np.float32),
            'ä "quoted"': np.array(1, np.float32), 'truth': np.array([True, False, True])}
    with safe_open(path, 'numpy') as f:
        assert f.metadata() == {'format': 'pt'}, f.metadata()
        assert set(f.keys()) == {*want, 'brain'}, f.keys()
        for name, w in want.items():
            t = f.get_tensor(name)
            assert t.dtype == w.dtype and t.shape == w.shape and (t == w).all(), (name, t)
        assert f.get_slice('brain').get_dtype() == 'BF16' and f.get_slice('brain').get_shape() == [2]
    data = open(path, 'rb').read()
    n = struct.unpack('<Q', data[:8])[0]
    from_, to = json.loads(data[8:8 + n])['brain']['data_offsets']
    assert n % 8 == 0 and data[8 + n + from_:8 + n + to] == struct.pack('<HH', 0x3f80, 0xc000)
    optimizer = load_file(os.path.join(run, 'checkpoint-00020000/optimizer.safetensors'))
    assert optimizer['step'] == 20000 and optimizer['exp_avg'].shape == (2, 3)
    print(f'safetensors  {len(want) + 1} tensors of a model, {len(optimizer)} of an optimizer: all values the same')


def events(run):
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    path, = glob.glob(os.path.join(run, 'events.out.tfevents.*'))
    raw = [Event.FromString(e) for e in RawEventFileLoader(path).Load()]
    assert raw[0].file_version == 'brain.Event:2' and raw[0].wall_time == 1.7e9
    lines = [json.loads(line) for line in open(os.path.join(run, 'metrics.jsonl'))]
    lines = [line for line in lines if 'loss' in line]
    assert len(raw) == 1 + len(lines) and lines
    a = EventAccumulator(run, size_guidance={'scalars': 0})
    a.Reload()
    assert sorted(a.Tags()['scalars']) == ['loss', 'mlm_loss', 'nsp_loss'], a.Tags()
    for tag in a.Tags()['scalars']:
        got = a.Scalars(tag)
        assert [e.step for e in got] == [line['step'] for line in lines]
        for e, line in zip(got, lines):
            assert np.float32(e.value) == np.float32(line[tag]), (tag, e, line)
            assert math.isclose(e.wall_time, 1.7e9 + .306 * line['step'], rel_tol=1e-15)
    print(f'tensorboard  {len(raw)} events, 3 tags: all steps, times and values the same')


with tempfile.TemporaryDirectory() as run:
    subprocess.run([PROGRAM, run], check=True)
    tensors(run)
    events(run)
