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
                    const struct tsl_samplemap_opts *map, uint64_t rows)
{
    char name[64];
    snprintf(name, sizeof name, "%s", path);
    char *paths[] = { name };
    struct tsl_shardjob_opts o = {
        .map = map,
        .paths = paths,
        .npaths = 1,
        .set = { .dir = dir, .shard_rows = rows, .writer = { .format = format } },
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
        convert("a.tslrec", formats[i], formats[i], NULL, 7);
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
            convert(map.mask ? "dynamic.tslrec" : "a.tslrec", dir, formats[i], &map, 7);
            same_batches("a.tslrec", dir, o);
        }
}

/* ---- every objective ---- */

static struct sampledata of_kind(enum tsl_denoise_kind kind, const char *objective)
{
    struct sampledata d = {
        .objective = objective, .n = 25, .seed = 4, .tokens_max = 40, .packed = true
    };
    struct tsl_special_ids special = sampledata_special();
    d.denoise.kind = kind;
    d.denoise.mlm =
        kind == TSL_DENOISE_PLM ? tsl_plm_xlnet(&special) : tsl_mlm_defaults();
    d.denoise.span = strcmp(objective, "ul2") == 0
                         ? tsl_span_ul2(SAMPLEDATA_VOCAB, SAMPLEDATA_SEP, -1, -1, -1)
                         : tsl_span_t5(SAMPLEDATA_VOCAB, SAMPLEDATA_SEP);
    d.denoise.span.nsentinels = 10;
    d.denoise.unilm =
        kind == TSL_DENOISE_UNILM ? tsl_unilm_defaults() : tsl_unilm_prefix();
    return d;
}

static const struct {
    enum tsl_denoise_kind denoise;
    const char *objective;
    enum tsl_train_kind kind;
} objectives[] = {
    { TSL_DENOISE_MLM, "mlm", TSL_TRAIN_MLM },
    { TSL_DENOISE_NONE, "clm", TSL_TRAIN_CLM },
    { TSL_DENOISE_SPAN, "span", TSL_TRAIN_SPAN },
    { TSL_DENOISE_SPAN, "ul2", TSL_TRAIN_SPAN },
    { TSL_DENOISE_PREFIX, "prefix", TSL_TRAIN_PREFIX },
    { TSL_DENOISE_UNILM, "unilm", TSL_TRAIN_UNILM },
    { TSL_DENOISE_PLM, "plm", TSL_TRAIN_PLM },
    { TSL_DENOISE_MAE, "mae", TSL_TRAIN_MAE },
};
enum { NOBJECTIVES = sizeof objectives / sizeof objectives[0] };

static void dynamic_masks_are_what_a_static_copy_has(void **state)
{
    (void)state;
    for (unsigned k = 0; k < NOBJECTIVES; k++) {
        struct sampledata d = of_kind(objectives[k].denoise, objectives[k].objective);
        struct tsl_loader_opts o = { .seed = 9, .rows = 5 };
        struct tsl_loader *dynamic, *copy;
        sampledata_write(&d, "dynamic.tslrec");
        dynamic = open_one(o, "dynamic.tslrec");
        assert_int_equal(tsl_loader_shape(dynamic)->kind, objectives[k].kind);
        assert_string_equal(tsl_loader_info(dynamic, 0)->objective,
                            objectives[k].objective);
        for (d.epoch = 0; d.epoch < 3; d.epoch++) {
            d.masked = d.denoise.kind != TSL_DENOISE_NONE;
            sampledata_write(&d, "copy.tslrec");
            copy = open_one(o, "copy.tslrec");
            assert_false(tsl_loader_info(copy, 0)->dynamic);
            assert_memory_equal(tsl_loader_shape(copy), tsl_loader_shape(dynamic),
                                sizeof(struct tsl_trainbatch_shape));
            tsl_loader_seek(copy, d.epoch * d.n);
            for (unsigned i = 0; i < 5; i++)
                assert_int_equal(sum(next(copy)), sum(next(dynamic)));
            tsl_loader_destroy(copy);
        }
        tsl_loader_destroy(dynamic);
    }
}

static void static_samples_of_every_objective_come_from_every_format(void **state)
{
    (void)state;
    for (unsigned k = 0; k < NOBJECTIVES; k++) {
        struct sampledata d = of_kind(objectives[k].denoise, objectives[k].objective);
        struct tsl_samplemap_opts map = { .layout = TSL_LAYOUT_PLAIN };
        struct tsl_loader_opts o = { .seed = 9, .rows = 5 };
        char dir[64];
        d.masked = d.denoise.kind != TSL_DENOISE_NONE;
        sampledata_write(&d, "a.tslrec");
        snprintf(dir, sizeof dir, "tf-%u", k);
        convert("a.tslrec", dir, "tfrecord", NULL, 7);
        same_batches("a.tslrec", dir, o);
        snprintf(dir, sizeof dir, "plain-%u", k);
        convert("a.tslrec", dir, "mds", &map, 7);
        same_batches("a.tslrec", dir, o);
    }
}

/* ---- several sets ---- */

static void sets_are_mixed_by_weight_each_with_its_own_epochs(void **state)
{
    (void)state;
    struct sampledata a = bert(10), b = bert(35);
    struct tsl_loader_set sets[] = { { .path = "a.tslrec", .weight = .25 },
                                     { .path = "b.tslrec", .weight = .75 } };
    struct tsl_loader_opts o = { .sets = sets, .nsets = 2, .seed = 1, .rows = 8 };
    struct tsl_loader *l;
    struct tsl_err err = { 0 };
    uint64_t had[2] = { 0 };
    b.seed = 12;
    sampledata_write(&a, "a.tslrec");
    sampledata_write(&b, "b.tslrec");
    assert_ok(tsl_loader_open(&l, &o, &err), &err);
    for (unsigned i = 0; i < 30; i++) {
        const struct tsl_trainbatch *t = next(l);
        for (uint32_t r = 0; r < t->rows; r++) {
            uint32_t k = t->sets[r];
            uint64_t n = k ? 35 : 10, turn = had[k]++;
            struct tsl_permute order = tsl_permute_epoch(1, turn / n, n);
            assert_int_equal(t->epochs[r], turn / n);
            assert_int_equal(t->records[r], tsl_permute_at(&order, turn % n));
        }
        assert_int_equal(had[1], 3 * had[0]);
    }
    tsl_loader_destroy(l);
    sets[1].weight = 0;
    assert_err(tsl_loader_open(&l, &o, &err), TSL_EUSAGE, &err, "1 of 2 data sets");
    sets[0].weight = 0; /* then an epoch has every record once */
    o.epochs = 1;
    assert_ok(tsl_loader_open(&l, &o, &err), &err);
    bool seen[2][35] = { { false } };
    const struct tsl_trainbatch *t;
    unsigned rows = 0;
    while ((t = next(l)))
        for (uint32_t r = 0; r < t->rows; r++, rows++) {
            assert_false(seen[t->sets[r]][t->records[r]]);
            seen[t->sets[r]][t->records[r]] = true;
        }
    assert_int_equal(rows, 45);
    assert_null(next(l));
    tsl_loader_seek(l, 40);
    assert_int_equal(next(l)->rows, 5);
    tsl_loader_destroy(l);
}

static void ranks_share_what_one_trainer_would_see(void **state)
{
    (void)state;
    struct sampledata d = bert(30);
    struct tsl_loader *all, *part[2];
    sampledata_write(&d, "a.tslrec");
    all = open_one((struct tsl_loader_opts){ .seed = 2, .rows = 6, .epochs = 1.5 },
                   "a.tslrec");
    for (uint32_t k = 0; k < 2; k++)
        part[k] = open_one(
            (struct tsl_loader_opts){
                .seed = 2, .rows = 3, .rank = k, .world = 2, .epochs = 1.5 },
            "a.tslrec");
    const struct tsl_trainbatch *a, *b;
    while ((a = next(all)))
        for (uint32_t k = 0; k < 2; k++) {
            b = next(part[k]);
            assert_int_equal(b->position, a->position);
            assert_int_equal(b->next, a->next);
            for (uint32_t r = 0; r < b->rows; r++) {
                assert_int_equal(b->records[r], a->records[2 * r + k]);
                assert_memory_equal(b->input_ids + r * b->shape.tokens_max,
                                    a->input_ids + (2 * r + k) * b->shape.tokens_max,
                                    4 * (size_t)b->shape.tokens_max);
            }
        }
    assert_null(next(part[0]));
    for (uint32_t k = 0; k < 2; k++)
        tsl_loader_destroy(part[k]);
    tsl_loader_destroy(all);
}

static void sets_that_do_not_go_together_are_refused(void **state)
{
    (void)state;
    struct sampledata a = bert(10), b = of_kind(TSL_DENOISE_NONE, "clm");
    struct tsl_loader_set sets[] = { { .path = "a.tslrec" }, { .path = "b.tslrec" } };
    struct tsl_loader_opts o = { .sets = sets, .nsets = 2, .rows = 8 };
    struct tsl_loader *l;
    struct tsl_err err = { 0 };
    sampledata_write(&a, "a.tslrec");
    sampledata_write(&b, "b.tslrec");
    assert_err(tsl_loader_open(&l, &o, &err), TSL_EUSAGE, &err,
               "a.tslrec is data for nsp, b.tslrec for clm");
    o.data.objective = "mlm";
    assert_err(tsl_loader_open(&l, &o, &err), TSL_EUSAGE, &err,
               "b.tslrec: it is data for clm, not for mlm");
    o.data.objective = "clm";
    assert_ok(tsl_loader_open(&l, &o, &err), &err);
    tsl_loader_destroy(l);
    o.nsets = 0;
    assert_err(tsl_loader_open(&l, &o, &err), TSL_EUSAGE, &err, "0 data sets");
}

static void a_weight_stands_behind_the_last_colon(void **state)
{
    (void)state;
    char a[] = "a:b", b[] = "x/y:2.5", c[] = "c:", e[] = "d:0", f[] = "d:.0000001";
    struct tsl_loader_set s;
    struct tsl_err err = { 0 };
    assert_ok(tsl_loader_parse_set(a, &s, &err), &err);
    assert_string_equal(s.path, "a:b");
    assert_true(s.weight == 0);
    assert_ok(tsl_loader_parse_set(b, &s, &err), &err);
    assert_string_equal(s.path, "x/y");
    assert_true(s.weight == 2.5);
    assert_ok(tsl_loader_parse_set(c, &s, &err), &err);
    assert_string_equal(s.path, "c:");
    assert_err(tsl_loader_parse_set(e, &s, &err), TSL_EUSAGE, &err, "above 0");
    assert_err(tsl_loader_parse_set(f, &s, &err), TSL_EUSAGE, &err, "6 decimals");
}

/* ---- lengths, memory, damage ---- */

static void longer_samples_are_refused_or_cut(void **state)
{
    (void)state;
    struct sampledata d = bert(20);
    struct tsl_loader *l;
    const struct tsl_trainbatch *b;
    struct tsl_err err = { 0 };
    d.full = true;
    sampledata_write(&d, "a.tslrec");
    struct tsl_loader_opts o = { .rows = 4 };
    o.data.tokens_max = 16;
    l = open_one(o, "a.tslrec");
    for (unsigned i = 0; i < 2; i++) /* it stays an error */
        assert_err(tsl_loader_next(l, &b, &err), TSL_EFORMAT, &err,
                   "it has 32 tokens, more than 16 (a longer --seq-length");
    tsl_loader_destroy(l);
    o.data.truncate = true;
    l = open_one(o, "a.tslrec");
    assert_int_equal(tsl_loader_shape(l)->tokens_max, 16);
    for (unsigned i = 0; i < 10; i++) {
        b = next(l);
        assert_int_equal(b->ntokens, 64);
        for (uint32_t k = 0; k < b->nmasked; k++)
            assert_true(b->masked_positions[k] >= 0 && b->masked_positions[k] < 64);
    }
    tsl_loader_destroy(l);
    o.data.tokens_max = 48; /* more room than it needs */
    l = open_one(o, "a.tslrec");
    assert_int_equal(next(l)->shape.tokens_max, 48);
    tsl_loader_destroy(l);
}

static void what_is_picked_is_what_was_in_memory(void **state)
{
    (void)state;
    struct sampledata d = bert(3000);
    struct tsl_loader_opts o = { .seed = 3, .rows = 16 };
    struct tsl_loader *a, *b;
    sampledata_write(&d, "a.tslrec");
    convert("a.tslrec", "jsonl", "jsonl", NULL, 2000);
    a = open_one(o, "a.tslrec");
    o.memory = 100000;
    b = open_one(o, "a.tslrec");
    assert_true(tsl_loader_info(a, 0)->resident);
    assert_false(tsl_loader_info(b, 0)->resident);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(sum(next(a)), sum(next(b)));
    struct tsl_loader_stats st;
    tsl_loader_stats(a, &st);
    assert_int_equal(st.batches, 20);
    assert_int_equal(st.samples, 320);
    assert_true(st.bytes > 3000 * 40 && st.bytes < 3000 * 200 + 100000);
    tsl_loader_destroy(a);
    tsl_loader_destroy(b);
    struct tsl_loader_set set = { .path = "jsonl" };
    struct tsl_err err = { 0 };
    o.sets = &set;
    o.nsets = 1;
    o.memory = 100;
    assert_err(tsl_loader_open(&a, &o, &err), TSL_EUSAGE, &err, "convert it with cshard");
}

/* Byte after byte of a file is changed: no batch comes that is wrong without anyone saying
 * so, and messages name the file. */
static void damage_is_told_with_its_place(void **state)
{
    (void)state;
    struct sampledata d = bert(40);
    struct tsl_err err = { 0 };
    size_t n;
    sampledata_write(&d, "good.tslrec");
    uint8_t *p = file_get("good.tslrec", &n);
    unsigned told = 0;
    for (size_t at = n / 4; at < n - 40; at += n / 40) {
        struct tsl_loader_set set = { .path = "bad.tslrec" };
        struct tsl_loader_opts o = { .sets = &set, .nsets = 1, .rows = 8 };
        struct tsl_loader *l = NULL;
        const struct tsl_trainbatch *b;
        p[at] ^= 0x40;
        file_put("bad.tslrec", p, n);
        p[at] ^= 0x40;
        o.memory = at & 1 ? 0 : 2000;
        int rc = tsl_loader_open(&l, &o, &err);
        for (unsigned i = 0; rc >= 0 && i < 6; i++)
            rc = tsl_loader_next(l, &b, &err);
        if (rc >= 0 && l)
            tsl_loader_destroy(l);
        else {
            told++;
            if (l)
                tsl_loader_destroy(l);
            assert_err(rc, rc, &err, "bad.tslrec");
        }
    }
    assert_true(told > 10);
    free(p);
}

static void a_loader_stops_at_any_time(void **state)
{
    (void)state;
    struct sampledata d = bert(20);
    sampledata_write(&d, "a.tslrec");
    for (unsigned i = 0; i < 60; i++) {
        struct tsl_loader *l = open_one(
            (struct tsl_loader_opts){ .rows = 1 + i % 7, .ahead = i % 5 }, "a.tslrec");
        for (unsigned k = 0; k < i % 4; k++)
            next(l);
        if (i & 1)
            tsl_loader_seek(l, i);
        if (i & 2)
            assert_int_equal(next(l)->rows, 1 + i % 7);
        tsl_loader_destroy(l);
    }
}

static void what_has_nothing_to_predict_is_refused(void **state)
{
    (void)state;
    struct tsl_loader_set set = { .path = "a.jsonl" };
    struct tsl_loader_opts o = { .sets = &set, .nsets = 1, .rows = 2 };
    struct tsl_loader *l;
    struct tsl_err err = { 0 };
    o.data.doc_end = -1;
    file_put_text("a.jsonl", "{\"input_ids\":[5,6,7],\"segment_ids\":[0,0,1]}\n");
    assert_err(tsl_loader_open(&l, &o, &err), TSL_EFORMAT, &err,
               "nothing in it is to be predicted");
    file_put_text("a.jsonl", "{\"text\":\"hello\"}\n");
    assert_err(tsl_loader_open(&l, &o, &err), TSL_EFORMAT, &err,
               "it has no token ids (input_ids, ids or tokens); its columns are text");
    file_put_text("a.jsonl", "{\"ids\":[5,6,7]}\n");
    assert_err(tsl_loader_open(&l, &o, &err), TSL_EUSAGE, &err, "say how long");
    file_put_text("a.jsonl", "{\"ids\":[5,6,-7]}\n");
    o.data.tokens_max = 2;
    assert_err(tsl_loader_open(&l, &o, &err), TSL_EFORMAT, &err,
               "a.jsonl: record 0: a token id is not in");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_come_in_the_order_that_crec_prints),
        TEST(masks_are_those_of_the_epoch),
        TEST(a_run_resumes_at_any_position),
        TEST(every_format_gives_the_same_batches),
        TEST(every_layout_of_masked_samples_gives_the_same_batches),
        TEST(dynamic_masks_are_what_a_static_copy_has),
        TEST(static_samples_of_every_objective_come_from_every_format),
        TEST(sets_are_mixed_by_weight_each_with_its_own_epochs),
        TEST(ranks_share_what_one_trainer_would_see),
        TEST(sets_that_do_not_go_together_are_refused),
        TEST(a_weight_stands_behind_the_last_colon),
        TEST(longer_samples_are_refused_or_cut),
        TEST(what_is_picked_is_what_was_in_memory),
        TEST(damage_is_told_with_its_place),
        TEST(a_loader_stops_at_any_time),
        TEST(what_has_nothing_to_predict_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
