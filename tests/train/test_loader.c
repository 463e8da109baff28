#include "support/test.h"

#include <string.h>

#include "base/permute.h"
#include "samples/shardjob.h"
#include "support/sampledata.h"
#include "train/loader.h"

static struct sampledata bert(uint64_t n)
{
    struct sampledata d = {
        .objective = "nsp", .n = n, .seed = 11, .tokens_max = 32, .labels = true
    };
    d.denoise.kind = TSL_DENOISE_MLM;
    d.denoise.mlm = tsl_mlm_defaults();
    d.denoise.mlm.unit = TSL_MLM_WORDS;
    return d;
}

static struct tsl_loader *open_one(struct tsl_loader_opts o, const char *path)
{
    struct tsl_loader_set set = { .path = path };
    struct tsl_loader *l;
    struct tsl_err err = { 0 };
    o.sets = &set;
    o.nsets = 1;
    o.data.doc_end = -1;
    assert_ok(tsl_loader_open(&l, &o, &err), &err);
    return l;
}

static const struct tsl_trainbatch *next(struct tsl_loader *l)
{
    const struct tsl_trainbatch *b;
    struct tsl_err err = { 0 };
    int rc = tsl_loader_next(l, &b, &err);
    assert_ok(rc, &err);
    return rc ? b : NULL;
}

/* A sum of all that a trainer sees of a batch. */
static uint64_t sum(const struct tsl_trainbatch *b)
{
    const struct tsl_trainbatch_shape *s = &b->shape;
    size_t all = (size_t)s->rows_max * s->tokens_max * 4;
    const void *const p[] = { b->input_ids, b->segment_ids, b->position_ids, b->doc_ids,
                              b->labels };
    uint64_t h = b->rows * 31 + b->nmasked * 7 + b->ntokens;
    for (size_t i = 0; i < 5; i++)
        h = tsl_hash64(p[i], all, h);
    h = tsl_hash64(b->masked_positions, 4 * (size_t)s->rows_max * s->masks_max, h);
    h = tsl_hash64(b->masked_labels, 4 * (size_t)s->rows_max * s->masks_max, h);
    h = tsl_hash64(b->lengths, 4 * (size_t)s->rows_max, h);
    h = tsl_hash64(b->kinds, 4 * (size_t)s->rows_max, h);
    h = tsl_hash64(b->prefix, 4 * (size_t)s->rows_max, h);
    h = tsl_hash64(b->nsp_labels, 4 * (size_t)s->rows_max, h);
    if (b->decoder_ids) {
        h = tsl_hash64(b->decoder_ids, 4 * (size_t)s->rows_max * s->outs_max, h);
        h = tsl_hash64(b->decoder_labels, 4 * (size_t)s->rows_max * s->outs_max, h);
    }
    return h;
}

static void records_come_in_the_order_that_crec_prints(void **state)
{
    (void)state;
    struct sampledata d = bert(37);
    sampledata_write(&d, "a.tslrec");
    struct tsl_loader *l =
        open_one((struct tsl_loader_opts){ .seed = 7, .rows = 5 }, "a.tslrec");
    for (uint64_t p = 0; p < 4 * 37;) {
        const struct tsl_trainbatch *b = next(l);
        assert_int_equal(b->position, p);
        assert_int_equal(b->rows, 5);
        for (uint32_t r = 0; r < b->rows; r++, p++) {
            struct tsl_permute order = tsl_permute_epoch(7, p / 37, 37);
            assert_int_equal(b->records[r], tsl_permute_at(&order, p % 37));
            assert_int_equal(b->epochs[r], p / 37);
        }
    }
    tsl_loader_destroy(l);
}

/* The row is what denoise makes of the sample for that epoch. */
static void check_row(const struct sampledata *d, const struct tsl_trainbatch *b,
                      uint32_t row, uint32_t *mask)
{
    struct tsl_maskmeta m = sampledata_meta(d);
    struct tsl_denoise *denoise;
    struct tsl_sample s;
    uint32_t most = b->shape.tokens_max;
    assert_ok(tsl_sample_init(&s, d->tokens_max + 8, NULL), NULL);
    assert_ok(tsl_denoise_create(&denoise, &m.denoise, NULL), NULL);
    sampledata_sample(d, b->records[row], &s);
    tsl_denoise_apply(denoise, b->epochs[row], &s, NULL);
    assert_int_equal(b->lengths[row], s.n);
    for (uint32_t i = 0; i < most; i++) {
        size_t at = (size_t)row * most + i;
        assert_int_equal(b->input_ids[at], i < s.n ? s.ids[i] : SAMPLEDATA_PAD);
        assert_int_equal(b->segment_ids[at], i >= s.first && i < s.n);
        assert_int_equal(b->position_ids[at], i < s.n ? i : 0);
    }
    assert_int_equal(b->nsp_labels[row], s.label);
    for (uint32_t i = 0; i < s.nmasked; i++, ++*mask) {
        assert_int_equal(b->masked_positions[*mask], row * most + s.places[i]);
        assert_int_equal(b->masked_labels[*mask], s.targets[i]);
        assert_int_equal(b->labels[(size_t)row * most + s.places[i]], s.targets[i]);
    }
    tsl_sample_fini(&s);
    tsl_denoise_destroy(denoise);
}

static void masks_are_those_of_the_epoch(void **state)
{
    (void)state;
    struct sampledata d = bert(20);
    sampledata_write(&d, "a.tslrec");
    struct tsl_loader *l =
        open_one((struct tsl_loader_opts){ .seed = 1, .rows = 8 }, "a.tslrec");
    assert_true(tsl_loader_info(l, 0)->dynamic);
    assert_string_equal(tsl_loader_info(l, 0)->objective, "nsp");
    for (unsigned i = 0; i < 8; i++) {
        const struct tsl_trainbatch *b = next(l);
        uint32_t mask = 0;
        for (uint32_t r = 0; r < b->rows; r++)
            check_row(&d, b, r, &mask);
        assert_int_equal(b->nmasked, mask);
        for (; mask < b->shape.rows_max * b->shape.masks_max; mask++)
            assert_int_equal(b->masked_positions[mask], -1);
    }
    tsl_loader_destroy(l);
}

static void a_run_resumes_at_any_position(void **state)
{
    (void)state;
    enum { N = 12, ROWS = 3 };
    struct sampledata d = bert(10);
    uint64_t sums[N];
    sampledata_write(&d, "a.tslrec");
    struct tsl_loader_opts o = { .seed = 5, .rows = ROWS };
    struct tsl_loader *l = open_one(o, "a.tslrec");
    for (unsigned i = 0; i < N; i++)
        sums[i] = sum(next(l));
    tsl_loader_destroy(l);
    for (unsigned way = 0; way < 2; way++) {
        o.no_thread = way;
        l = open_one(o, "a.tslrec");
        for (unsigned k = N; k-- > 0;) {
            tsl_loader_seek(l, (uint64_t)k * ROWS);
            for (unsigned i = k; i < N && i < k + 4; i++)
                assert_int_equal(sum(next(l)), sums[i]);
        }
        tsl_loader_destroy(l);
    }
}

/* path's records as a set of another format in the folder dir. */
static void convert(const char *path, const char *dir, const char *format,
                    const struct tsl_samplemap_opts *map)
{
    char name[64];
    snprintf(name, sizeof name, "%s", path);
    char *paths[] = { name };
    struct tsl_shardjob_opts o = {
        .map = map,
        .paths = paths,
        .npaths = 1,
        .set = { .dir = dir, .shard_rows = 7, .writer = { .format = format } },
    };
    struct tsl_shardjob_stats st;
    struct tsl_err err = { 0 };
    assert_ok(tsl_shardjob_run(&o, &st, &err), &err);
}

static void same_batches(const char *a, const char *b, struct tsl_loader_opts o)
{
    struct tsl_loader *la = open_one(o, a), *lb = open_one(o, b);
    assert_int_equal(tsl_loader_samples(la), tsl_loader_samples(lb));
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(sum(next(la)), sum(next(lb)));
    tsl_loader_destroy(la);
    tsl_loader_destroy(lb);
}

static const char *const formats[] = { "native", "tfrecord", "mds",
                                       "npy",    "jsonl",    "webdataset" };

static void every_format_gives_the_same_batches(void **state)
{
    (void)state;
    struct sampledata d = bert(30);
    struct tsl_loader_opts o = { .seed = 3, .rows = 4 };
    sampledata_write(&d, "a.tslrec");
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        convert("a.tslrec", formats[i], formats[i], NULL);
        same_batches("a.tslrec", formats[i], o);
    }
}

static void every_layout_of_masked_samples_gives_the_same_batches(void **state)
{
    (void)state;
    struct sampledata d = bert(30);
    struct tsl_loader_opts o = { .seed = 3, .rows = 4 };
    d.epoch = 2;
    sampledata_write(&d, "dynamic.tslrec");
    d.masked = true;
    sampledata_write(&d, "a.tslrec");
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        for (int layout = TSL_LAYOUT_PLAIN; layout <= TSL_LAYOUT_HF; layout++) {
            char dir[64];
            struct tsl_samplemap_opts map = { .layout = (enum tsl_sample_layout)layout,
                                              .mask = layout == TSL_LAYOUT_BERT,
                                              .epoch = 2 };
            snprintf(dir, sizeof dir, "%s-%d", formats[i], layout);
            convert(map.mask ? "dynamic.tslrec" : "a.tslrec", dir, formats[i], &map);
            same_batches("a.tslrec", dir, o);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_come_in_the_order_that_crec_prints),
        TEST(masks_are_those_of_the_epoch),
        TEST(a_run_resumes_at_any_position),
        TEST(every_format_gives_the_same_batches),
        TEST(every_layout_of_masked_samples_gives_the_same_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
