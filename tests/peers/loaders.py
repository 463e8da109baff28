#!/usr/bin/env python3
"""loaders.py - what cshard writes, opened by the libraries that README.md names, with its lines: every
value of every record is to be what `crec head` prints.  By hand.

    tests/peers/loaders.py [BIN]      where the tools are (build/bin)

The libraries are put into a virtual environment (peer.py): mosaicml-streaming, webdataset, numpy,
tensorflow-cpu, megatron-core; with PyTorch, several GB.  One that cannot be had is told by name, a part
of it or another reader is tried in its place, and the exit status is 2.  Each runs in a process of its
own: some bring the same protobuf messages."""
import glob, importlib.machinery, importlib.util, json, os, subprocess, sys, tempfile, types, unittest.mock, warnings
import peer
peer.venv('numpy')
import numpy as np

BIN = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] != '--one' else os.path.join(peer.ROOT, 'build/bin'))
VOCAB = os.path.join(peer.ROOT, 'tests/data/tokenizers/bert-base-uncased/vocab.txt')
CORPUS = os.path.join(peer.ROOT, 'tests/data/corpus/en.jsonl.zst')
SHARDS = 4


def install(package, module, *options):
    """Is it there, now?  Looked for by name, not imported."""
    if importlib.util.find_spec(module.split('.')[0]) is None:
        out = subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', '--no-input', *options, package],
                             capture_output=True, text=True)
        if out.returncode:
            print(f'{package}: cannot be had: ' + (out.stderr.strip().splitlines() or ['pip failed'])[-1])
            return False
        importlib.invalidate_caches()
    return True


def plain(v):
    """As JSON has it."""
    if isinstance(v, np.ndarray):
        return v.tolist()
    return v.item() if isinstance(v, np.generic) else v


def same(name, got, want):
    n = 0
    for a, b in zip(got, want, strict=True):
        assert set(a) == set(b), (name, n, sorted(a), sorted(b))
        for c in b:
            # a feature of one value is a list of one in TensorFlow's records
            x, y = plain(a[c]), b[c]
            assert x == y or x == [y], (name, n, c, x, y)
        n += 1
    print(f'{name:10} {n} records, {len(want[0])} columns: all values the same')


# ---- each library's lines, as README.md has them ---------------------------------------------


class StandIn(types.ModuleType):
    """A module that is not there, for those who import it and do not use it here."""

    def __init__(self, name):
        super().__init__(name)
        self.__path__ = []
        self.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return unittest.mock.MagicMock()


def mds_stubbed():
    """The reader of mosaicml-streaming without what only its data set needs."""
    assert install('mosaicml-streaming', 'streaming', '--no-deps')
    for p in ('pillow:PIL', 'typing_extensions:typing_extensions'):
        install(*p.split(':'))
    where = importlib.util.find_spec('streaming').submodule_search_locations[0]
    for name in ('streaming', 'streaming.base', 'streaming.base.format'):
        m = sys.modules[name] = types.ModuleType(name)
        m.__path__ = [os.path.join(where, *name.split('.')[1:])]
    for _ in range(30): # what it imports and is not there becomes a stand-in
        try:
            from streaming.base.format.mds.reader import MDSReader
            break
        except ModuleNotFoundError as e:
            sys.modules[e.name] = StandIn(e.name)
    for obj in json.load(open('mds/index.json'))['shards']:
        r = MDSReader.from_json('mds', '', obj)
        r.validate(False)
        for i in range(r.samples):
            yield r.decode_sample(r.get_sample_data(i))
    for name in [n for n, m in sys.modules.items() if isinstance(m, StandIn)]:
        del sys.modules[name]


def mds():
    from streaming import StreamingDataset
    data = StreamingDataset(local="mds", batch_size=32)
    yield from (data[i] for i in range(len(data)))


def webdataset():
    import webdataset as wds
    for sample in wds.WebDataset("wds/part-{00000..00003}.tar", shardshuffle=False).decode():
        record = dict(sample['npz'])
        for key, value in sample.items():
            if key != 'npz' and not key.startswith('__'):
                record[key] = value
        yield record


def npy(columns):
    for shard in sorted({os.path.basename(p).split('.')[0] for p in glob.glob('npy/*.npy')}):
        values = {c: np.load(f"npy/{shard}.{c}.npy", mmap_mode="r") for c in columns}
        ends = {c: np.load(p) for c in columns for p in [f'npy/{shard}.{c}.ends.npy'] if os.path.exists(p)}
        n = min([len(e) for e in ends.values()] + [len(values[c]) for c in columns if c not in ends])
        for i in range(n):
            yield {c: values[c][ends[c][i - 1] if i else 0:ends[c][i]] if c in ends else values[c][i]
                   for c in columns}


def tensorflow():
    import tensorflow as tf
    for raw in tf.data.TFRecordDataset(sorted(tf.io.gfile.glob("tf/*.tfrecord"))).as_numpy_iterator():
        example = tf.train.Example.FromString(raw)
        yield {k: list(f.int64_list.value) for k, f in example.features.feature.items()}


def tfrecord():
    from tfrecord.reader import tfrecord_loader
    for path in sorted(glob.glob("tf/*.tfrecord")):
        yield from tfrecord_loader(path, None, None)


def megatron():
    from megatron.core.datasets.indexed_dataset import IndexedDataset
    for prefix in sorted(p[:-4] for p in glob.glob('bin/*.idx')):
        data = IndexedDataset(prefix)
        yield from ({'ids': data[i].copy()} for i in range(len(data))) # its arrays are views of a map that it closes


def megatron_by_hand():
    for prefix in sorted(p[:-4] for p in glob.glob('bin/*.idx')):
        b = open(prefix + '.idx', 'rb').read()
        assert b[:9] == b'MMIDIDX\0\0' and int.from_bytes(b[9:17], 'little') == 1
        dtype = {1: 'u1', 2: 'i1', 3: '<i2', 4: '<i4', 5: '<i8', 8: '<u2'}[b[17]]
        n, d = np.frombuffer(b, '<u8', 2, 18)
        n, d = int(n), int(d)
        lengths = np.frombuffer(b, '<i4', n, 34)
        pointers = np.frombuffer(b, '<i8', n, 34 + 4 * n)
        documents = np.frombuffer(b, '<i8', d, 34 + 12 * n)
        assert len(b) == 34 + 12 * n + 8 * d
        assert documents[0] == 0 and documents[-1] == n
        ids = open(prefix + '.bin', 'rb').read()
        for k, at in zip(lengths, pointers):
            yield {'ids': np.frombuffer(ids, dtype, int(k), int(at))}


# ---- the records, and every format of them --------------------------------------------------


def head(path):
    out = subprocess.run([BIN + '/crec', 'head', '-n', '1000000000', path], check=True, capture_output=True).stdout
    return [json.loads(x) for x in out.splitlines()]


# what is asked for: package and module, the reader; in its place
PEERS = {
    'mds': ('mosaicml-streaming', 'streaming', mds, mds_stubbed),
    'webdataset': ('webdataset', 'webdataset', webdataset, None),
    'npy': ('numpy', 'numpy', npy, None),
    'tensorflow': ('tensorflow-cpu', 'tensorflow', tensorflow, tfrecord),
    'megatron': ('megatron-core', 'megatron', megatron, megatron_by_hand),
}


def one(name):
    """Reads what main has laid here; 2: not by the library itself."""
    package, module, reader, other = PEERS[name]
    warnings.simplefilter('ignore')
    want = head('corpus.tok') if name == 'megatron' else head('samples.tslrec')
    if name == 'megatron':
        want = [{'ids': r['ids']} for r in want]
    rc, why = 0, ''
    if not install(package, module):
        why = 'not installed'
    else:
        try:
            got = list(reader(list(want[0])) if reader is npy else reader())
        except ImportError as e: # there, but it cannot run here
            why = str(e)
    if why:
        print(f'{name}: {package} did not read it: {why}')
        if other is None:
            return 2
        if other is tfrecord and not install('tfrecord', 'tfrecord'):
            return 2
        name, got, rc = f'{name}, {other.__name__}', list(other()), 2
    same(name, got, want)
    return rc


def main():
    os.environ['PATH'] = BIN + ':' + os.environ['PATH']
    os.chdir(where := tempfile.mkdtemp(prefix='teasel-loaders-'))
    subprocess.run(['bash', '-euo', 'pipefail', '-c', f'''
        zstd -dcq {CORPUS} | sed -n 1,300p >corpus.jsonl
        ctok encode -V {VOCAB} --input=jsonl --split-sentences --output=stream corpus.jsonl |
            tee corpus.tok | cmask nsp --static=1 | tee samples.tslrec |
            cshard -f tfrecord -o tf --round-robin --shards={SHARDS}
        cshard -f mds -o mds --shards={SHARDS} samples.tslrec
        cshard -f webdataset -o wds --shards={SHARDS} samples.tslrec
        cshard -f npy -o npy --shards={SHARDS} samples.tslrec
        cshard -f tfrecord -o tf --force --shards={SHARDS} samples.tslrec
        cshard -f megatron -o bin --shards={SHARDS} corpus.tok'''], check=True)
    status, env = 0, dict(os.environ, TF_CPP_MIN_LOG_LEVEL='3', CUDA_VISIBLE_DEVICES='')
    for name in PEERS:
        rc = subprocess.run([sys.executable, os.path.join(peer.HERE, 'loaders.py'), '--one', name, BIN], env=env,
                            stderr=subprocess.PIPE, text=True)
        if rc.returncode not in (0, 2):
            print(f'{name}: exit status {rc.returncode}:', rc.stderr[-4000:])
            status = 1
        elif rc.returncode and not status:
            status = 2
        sys.stdout.flush()
    subprocess.run(['rm', '-r', where], check=True)
    return status


if len(sys.argv) > 1 and sys.argv[1] == '--one':
    BIN = sys.argv[3]
    sys.exit(one(sys.argv[2]))
sys.exit(main())
