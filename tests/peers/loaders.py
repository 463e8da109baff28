#!/usr/bin/env python3
"""loaders.py - what cshard writes, opened by the libraries that README.md names, with its lines: every
value of every record is to be what `crec head` prints.  By hand.

    tests/peers/loaders.py [BIN]      where the tools are (build/bin)

TensorFlow is used where it can be imported (TEASEL_PEERS_TENSORFLOW=1 installs tensorflow-cpu), and
else PyPI's tfrecord.  Of Mosaic's streaming the reader of shards runs as it is; StreamingDataset around it
wants PyTorch, and is used where that is there.  Megatron's .bin and .idx are read as its
indexed_dataset.py has them."""
import glob, importlib.machinery, importlib.util, json, os, subprocess, sys, tempfile, types, unittest.mock
import peer
peer.venv('numpy', 'webdataset', 'tfrecord')
import numpy as np

BIN = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(peer.ROOT, 'build/bin'))
VOCAB = os.path.join(peer.ROOT, 'tests/data/tokenizers/bert-base-uncased/vocab.txt')
CORPUS = os.path.join(peer.ROOT, 'tests/data/corpus/en.jsonl.zst')
SHARDS = 4


def install(package, module, *options):
    if importlib.util.find_spec(module) is None:
        subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', *options, package], check=True)


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
    install('mosaicml-streaming', 'streaming', '--no-deps')
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
    if importlib.util.find_spec('torch') is None:
        yield from mds_stubbed()
        return
    install('mosaicml-streaming', 'streaming')
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


def main():
    os.environ['PATH'] = BIN + ':' + os.environ['PATH']
    if os.environ.get('TEASEL_PEERS_TENSORFLOW'):
        install('tensorflow-cpu', 'tensorflow')
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
    want = head('samples.tslrec')
    same('mds', mds(), want)
    same('webdataset', webdataset(), want)
    same('npy', npy(list(want[0])), want)
    if importlib.util.find_spec('tensorflow'):
        same('tensorflow', tensorflow(), want)
    else: # both bring the same protobuf messages: one of them at a time
        same('tfrecord', tfrecord(), want)
    same('megatron', megatron(), [{'ids': r['ids']} for r in head('corpus.tok')])
    subprocess.run(['rm', '-r', where], check=True)


main()
