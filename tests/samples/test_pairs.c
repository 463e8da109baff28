/* Records from each format to each other one and back: nothing changes but what a format
 * cannot hold.  PAIRS_ROUNDS=N tries N times as many. */
#include "support/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "samples/shardjob.h"
#include "support/fault.h"
#include "support/rectrip.h"

#define T(x) (1u << TSL_##x)
enum {
    NUMBERS = T(U8) | T(I8) | T(U16) | T(I16) | T(U32) | T(I32) | T(U64) | T(I64) |
              T(F16) | T(F32) | T(F64),
    STRINGS = T(BYTES) | T(STR) | T(JSON),
    ALL = NUMBERS | T(BIT) | STRINGS,
    RECORDS_MAX = 40
};

/* What comes back from a format as it was, of single values, lists and dimensions: out of a
 * set, whose manifest knows the columns, and out of a file. */
static const struct kind {
    const char *format, *file;
    unsigned in_set[3], in_file[3];
    bool no_empty_lists, finite, one_column, first_tells;
    const char *pack; /* zstd or gzip */
} kinds[] = {
    { "native", "tslrec", { ALL, ALL, ALL }, { ALL, ALL, ALL }, .pack = "zstd" },
    { "jsonl",
      "jsonl",
      { ALL, ALL, ALL },
      { T(I64) | T(STR) | T(BYTES), T(I64) | T(STR) | T(BYTES), 0 },
      .finite = true,
      .first_tells = true },
    { "tfrecord",
      "tfrecord",
      { 0, T(I64) | T(F32) | T(BYTES), 0 },
      { 0, T(I64) | T(F32) | T(BYTES), 0 },
      .pack = "gzip" },
    { "mds",
      "mds",
      { NUMBERS | STRINGS, NUMBERS, NUMBERS },
      { NUMBERS | STRINGS, NUMBERS, NUMBERS },
      .no_empty_lists = true,
      .pack = "zstd" },
    { "npy",
      "c0.npy",
      { NUMBERS | T(BIT), NUMBERS | T(BIT), NUMBERS | T(BIT) },
      { NUMBERS | T(BIT), 0, NUMBERS | T(BIT) },
      .one_column = true },
    { "webdataset",
      "tar",
      { NUMBERS | T(BIT) | STRINGS, NUMBERS | T(BIT), NUMBERS | T(BIT) },
      { NUMBERS | T(BIT), NUMBERS | T(BIT), 0 },
      .pack = "gzip" },
};
enum { NKINDS = sizeof kinds / sizeof kinds[0] };

/* The formats of ids: the types that they give back below 2^16 and 2^31. */
static const struct idkind {
    const char *format;
    enum tsl_dtype narrow, wide;
    bool keeps_records, keeps_type, no_empty;
} idkinds[] = {
    { "megatron", TSL_U16, TSL_I32, true, false, false },
    { "datatrove", TSL_U16, TSL_U32, true, false, false },
    { "llmc", TSL_U16, TSL_U32, false, false, true },
    { "u16", TSL_U16, TSL_NDTYPES, false, false, true },
    { "u32", TSL_U32, TSL_U32, false, false, true },
    { "native", TSL_NDTYPES, TSL_NDTYPES, true, true, false },
    { "jsonl", TSL_NDTYPES, TSL_NDTYPES, true, true, false },
    { "npy", TSL_NDTYPES, TSL_NDTYPES, true, true, false },
    { "webdataset", TSL_NDTYPES, TSL_NDTYPES, true, true, false },
    { "mds", TSL_NDTYPES, TSL_NDTYPES, true, true, true },
    { "tfrecord", TSL_I64, TSL_I64, true, false, false },
};
enum { NIDKINDS = sizeof idkinds / sizeof idkinds[0] };

static unsigned rounds(void)
{
    const char *n = getenv("PAIRS_ROUNDS");
    return n ? (unsigned)atoi(n) : 1;
}

/* ---- records ---- */

static size_t code_point(struct gen *g, char *p)
{
    static const char *const some[] = { "\"",
                                        "\\",
                                        "/",
                                        "\x7f",
                                        "\xc3\xa9",
                                        "\xe4\xb8\xad",
                                        "\xf0\x9f\x98\x80",
                                        "\xe2\x80\xa8",
                                        "\xef\xbf\xbf",
                                        "\xf4\x8f\xbf\xbf" };
    if (gen_below(g, 3)) {
        *p = (char)(gen_below(g, 9) ? 32 + gen_below(g, 95) : gen_below(g, 32));
        return 1;
    }
    const char *s = some[gen_below(g, sizeof some / sizeof *some)];
    memcpy(p, s, strlen(s));
    return strlen(s);
}

enum { STRING_MAX = 4 * 300 };

static size_t string(struct gen *g, enum tsl_dtype t, char *p)
{
    static const char *const texts[] = { "0",
                                         "-1.5",
                                         "\"\\u0001\xc3\xa9\"",
                                         "[]",
                                         "{}",
                                         "null",
                                         "true",
                                         "[[],{\"a\":[1,null,\"x\"]}]",
                                         "9223372036854775807",
                                         "0.30000000000000004",
                                         "{\"b\":{\"\":-0.25},\"a\":1e+100}" };
    size_t most = gen_below(g, 12) ? gen_below(g, 20) + 1 : 300, n = 0;
    if (t == TSL_JSON) {
        const char *s = texts[gen_below(g, sizeof texts / sizeof *texts)];
        memcpy(p, s, strlen(s));
        return strlen(s);
    }
    for (size_t k = gen_below(g, most); k; k--)
        if (t == TSL_STR)
            n += code_point(g, p + n);
        else
            p[n++] = (char)gen_u64(g);
    return n;
}

static bool is_finite(enum tsl_dtype t, const uint8_t *p)
{
    uint64_t bits = 0, top = t == TSL_F16   ? 0x7c00
                             : t == TSL_F32 ? 0x7f800000
                                            : UINT64_C(0x7ff) << 52;
    if (t != TSL_F16 && t != TSL_F32 && t != TSL_F64)
        return true;
    memcpy(&bits, p, tsl_dtype_bytes(t));
    return (bits & top) != top;
}

static void number(struct gen *g, enum tsl_dtype t, bool finite, uint8_t *p)
{
    size_t n = tsl_dtype_bytes(t);
    do {
        uint64_t how = gen_below(g, 6);
        gen_bytes(g, p, n);
        if (how < 2)
            memset(p, how ? 0xff : 0, n);
        if (how == 2 || how == 3) /* the largest and the smallest with a sign */
            memset(p, how == 2 ? 0xff : 0, n), p[n - 1] = how == 2 ? 0x7f : 0x80;
        if (how == 4)
            memset(p + 1, 0, n - 1);
        if (t == TSL_BIT)
            *p &= 1;
    } while (finite && !is_finite(t, p));
}

static uint32_t length(struct gen *g, bool no_empty, bool strings)
{
    static const uint32_t most[] = { 1, 2, 5, 40, 700 };
    uint32_t n = (uint32_t)gen_below(g, most[gen_below(g, strings ? 3 : 5)]);
    return n + no_empty;
}

static void record(struct recdata *r, struct gen *g, const struct tsl_schema *s,
                   bool no_empty, bool finite)
{
    char text[STRING_MAX];
    *r = (struct recdata){ .ncolumns = s->ncolumns };
    for (size_t i = 0; i < s->ncolumns; i++) {
        const struct tsl_column *c = &s->columns[i];
        size_t size = tsl_dtype_bytes(c->type), len = 0;
        uint32_t n = c->count ? c->count : length(g, no_empty, !size);
        r->data[i] = malloc((n + 1) * (size ? size : STRING_MAX));
        r->lens[i] = size ? NULL : malloc((n + 1) * sizeof(uint32_t));
        for (uint32_t v = 0; v < n; v++)
            if (size) {
                number(g, c->type, finite, r->data[i] + v * size);
            } else {
                r->lens[i][v] = (uint32_t)string(g, c->type, text);
                memcpy(r->data[i] + len, text, r->lens[i][v]);
                len += r->lens[i][v];
            }
        r->values[i] = (struct tsl_value){ r->data[i], r->lens[i], n };
    }
}

/* Columns that both hold; by name, as some formats sort them, and of numbers first. */
static void columns(struct tsl_schema *s, struct gen *g, const unsigned *a,
                    const unsigned *b, size_t most, bool plain)
{
    static const char *const tails[] = {
        "", " b", "\xc3\xa9", "\"'", ".x", "A", "_ends"
    };
    size_t n = 1 + gen_below(g, most);
    unsigned types[3], taken = 0;
    *s = (struct tsl_schema){ .ncolumns = 0 };
    for (int k = 0; k < 3; k++)
        types[k] = a[k] & b[k];
    assert_true(types[0] | types[1] | types[2]);
    for (int tries = 0; s->ncolumns < n && tries < 1000; tries++) {
        size_t k = gen_below(g, 3);
        unsigned t = (unsigned)gen_below(g, TSL_NDTYPES);
        uint32_t dims[] = { 1 + (uint32_t)gen_below(g, 5), 1 + (uint32_t)gen_below(g, 4),
                            1 + (uint32_t)gen_below(g, 3), 2 };
        char name[40];
        bool string = 1u << t & STRINGS;
        if (!(types[k] >> t & 1) || (!string && taken & STRINGS))
            continue;
        taken |= 1u << t;
        if (gen_below(g, 20) == 0)
            dims[0] = 300;
        snprintf(name, sizeof name, "c%zu%s", s->ncolumns,
                 plain ? "" : tails[gen_below(g, sizeof tails / sizeof *tails)]);
        assert_ok(tsl_schema_add(s, name, (enum tsl_dtype)t, k == 1,
                                 k == 2 ? 1 + (uint32_t)gen_below(g, 4) : 0, dims, NULL),
                  NULL);
    }
    assert_true(s->ncolumns > 0);
}

/* ---- there and back ---- */

static void cut_anyhow(struct tsl_shardset_opts *set, struct gen *g)
{
    uint64_t n = gen_below(g, 4);
    set->shards = n == 1 ? 1 + gen_below(g, 9) : 0;
    set->shard_rows = n == 2 ? 1 + gen_below(g, 9) : 0;
    set->shard_bytes = n == 3 ? 300 + gen_below(g, 5000) : 0;
}

static void packed_anyhow(struct tsl_recwriter_opts *w, struct gen *g, const char *format)
{
    w->format = format;
    for (size_t i = 0; i < NKINDS; i++)
        if (strcmp(kinds[i].format, format) == 0 && kinds[i].pack && gen_below(g, 2)) {
            w->zstd_level = kinds[i].pack[0] == 'z';
            w->gzip = kinds[i].pack[0] == 'g';
        }
}

static void to_set(const char *from, const char *to, struct tsl_shardset_opts set)
{
    char path[64];
    char *paths[] = { path };
    struct tsl_shardjob_stats st;
    struct tsl_err err = { 0 };
    snprintf(path, sizeof path, "%s", from);
    set.dir = to;
    set.force = true;
    struct tsl_shardjob_opts o = { .paths = paths, .npaths = 1, .set = set };
    assert_ok(tsl_shardjob_run(&o, &st, &err), &err);
}

static void to_file(const char *from, const char *stem, struct tsl_recwriter_opts o)
{
    const struct tsl_recreader_opts ro = { .memory = 4 << 20 };
    const struct tsl_recfile *files;
    struct tsl_recreader *r;
    struct tsl_recwriter *w;
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    size_t nfiles;
    int rc;
    assert_ok(tsl_recreader_open(&r, from, &ro, &err), &err);
    assert_ok(tsl_recwriter_create(&w, tsl_recreader_head(r), &o, &err), &err);
    assert_ok(tsl_recwriter_begin(w, stem, &err), &err);
    while ((rc = tsl_recreader_next(r, &rec, &err)) == 1)
        assert_ok(tsl_recwriter_put(w, &rec, &err), &err);
    assert_ok(rc, &err);
    assert_ok(tsl_recwriter_end(w, &err), &err);
    assert_ok(tsl_recwriter_commit(w, &files, &nfiles, &err), &err);
    tsl_recwriter_destroy(w);
    tsl_recreader_destroy(r);
}

static void same_file(const char *a, const char *b)
{
    size_t n;
    uint8_t *p = file_get(a, &n);
    assert_non_null(p);
    if (!file_is(b, p, n))
        fail_msg("%s is not %s", b, a);
    free(p);
}

/* All files but the manifest, which says what it was made from. */
static void same_set(const char *a, const char *b)
{
    char x[300], y[300];
    DIR *d = opendir(a);
    assert_non_null(d);
    assert_int_equal(folder_count(a), folder_count(b));
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.' || strcmp(e->d_name, "manifest.json") == 0)
            continue;
        snprintf(x, sizeof x, "%s/%s", a, e->d_name);
        snprintf(y, sizeof y, "%s/%s", b, e->d_name);
        same_file(x, y);
    }
    closedir(d);
}

static const struct tsl_recreader_opts by_content = { .memory = 8 << 20 };

static void every_set_becomes_every_other_and_comes_back(void **state)
{
    (void)state;
    struct recdata records[RECORDS_MAX];
    fault_skip_syncs(true);
    for (unsigned k = 0; k < NKINDS * NKINDS * 2 * rounds(); k++) {
        const struct kind *a = &kinds[k % NKINDS], *b = &kinds[k / NKINDS % NKINDS];
        struct gen g = { k };
        struct tsl_err err = { 0 };
        struct tsl_shardset_opts to_a = { .shards = 0 }, to_b = { .shards = 0 };
        struct rectrip t = { .opts = { .format = "native" }, .records = records };
        bool no_empty = a->no_empty_lists || b->no_empty_lists;
        columns(&t.head.schema, &g, a->in_set, b->in_set, 6, false);
        t.n = gen_below(&g, 8) > 1 ? gen_below(&g, RECORDS_MAX) : gen_below(&g, 2);
        for (size_t i = 0; i < t.n; i++)
            record(&records[i], &g, &t.head.schema, no_empty, a->finite || b->finite);
        print_message("%u: %s, %s\n", k, a->format, b->format);
        assert_ok(rectrip_write(&t, "src", &err), &err);
        packed_anyhow(&to_a.writer, &g, a->format);
        packed_anyhow(&to_b.writer, &g, b->format);
        cut_anyhow(&to_a, &g);
        cut_anyhow(&to_b, &g);
        to_set("src.tslrec", "a", to_a);
        rectrip_is(&t, "a", &by_content);
        to_set("a", "b", to_b);
        rectrip_is(&t, "b", &by_content);
        to_set("b", "again", to_a);
        rectrip_is(&t, "again", &by_content);
        same_set("a", "again");
        for (size_t i = 0; i < t.n; i++)
            recdata_free(&records[i]);
    }
    fault_skip_syncs(false);
}

/* What files without a manifest say of their columns. */
static void every_file_becomes_every_other_and_comes_back(void **state)
{
    (void)state;
    struct recdata records[RECORDS_MAX];
    fault_skip_syncs(true);
    for (unsigned k = 0; k < NKINDS * NKINDS * 2 * rounds(); k++) {
        const struct kind *a = &kinds[k % NKINDS], *b = &kinds[k / NKINDS % NKINDS];
        unsigned both = 0;
        struct gen g = { k + 5 };
        struct tsl_err err = { 0 };
        struct tsl_recwriter_opts to_a = { .gzip = false }, to_b = { .gzip = false };
        struct rectrip t = { .opts = { .format = "native" }, .records = records };
        char from[40], to[40], again[40];
        for (int i = 0; i < 3; i++)
            both |= a->in_file[i] & b->in_file[i];
        if (!both)
            continue; /* such as jsonl, which has no types, and webdataset */
        columns(&t.head.schema, &g, a->in_file, b->in_file,
                a->one_column || b->one_column ? 1 : 6, true);
        t.n = 1 + gen_below(&g, RECORDS_MAX - 1);
        for (size_t i = 0; i < t.n; i++)
            record(&records[i], &g, &t.head.schema,
                   a->no_empty_lists || b->no_empty_lists ||
                       (i == 0 && (a->first_tells || b->first_tells)),
                   a->finite || b->finite);
        print_message("%u: %s, %s\n", k, a->format, b->format);
        assert_ok(rectrip_write(&t, "src", &err), &err);
        packed_anyhow(&to_a, &g, a->format);
        packed_anyhow(&to_b, &g, b->format);
        const char *pack_a = strcmp(a->format, "native") == 0 ? ""
                             : to_a.gzip                      ? ".gz"
                             : to_a.zstd_level                ? ".zstd"
                                                              : "",
                   *pack_b = strcmp(b->format, "native") == 0 ? ""
                             : to_b.gzip                      ? ".gz"
                             : to_b.zstd_level                ? ".zstd"
                                                              : "";
        snprintf(from, sizeof from, "a.%s%s", a->file, pack_a);
        snprintf(to, sizeof to, "b.%s%s", b->file, pack_b);
        snprintf(again, sizeof again, "again.%s%s", a->file, pack_a);
        to_file("src.tslrec", "a", to_a);
        rectrip_is(&t, from, &by_content);
        to_file(from, "b", to_b);
        rectrip_is(&t, to, &by_content);
        to_file(to, "again", to_a);
        same_file(from, again);
        for (size_t i = 0; i < t.n; i++)
            recdata_free(&records[i]);
    }
    fault_skip_syncs(false);
}

/* ---- ids ---- */

static enum tsl_dtype given_back(const struct idkind *k, bool wide, enum tsl_dtype t)
{
    return k->keeps_type ? t : wide ? k->wide : k->narrow;
}

/* n ids below most, as numbers of type t. */
static void ids(struct recdata *r, struct gen *g, enum tsl_dtype t, uint32_t n,
                uint64_t most)
{
    size_t size = tsl_dtype_bytes(t);
    *r = (struct recdata){ .ncolumns = 1 };
    r->data[0] = calloc(n + 1, size);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t id = gen_below(g, 50) ? gen_below(g, most) : most - 1;
        memcpy(r->data[0] + i * size, &id, size);
    }
    r->values[0] = (struct tsl_value){ r->data[0], NULL, n };
}

/* The same ids, whatever type they have now. */
static void same_ids(const struct rectrip *t, const char *path, bool keeps_type)
{
    struct tsl_recreader *r;
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    size_t size = tsl_dtype_bytes(t->head.schema.columns[0].type);
    if (keeps_type) {
        rectrip_is(t, path, &by_content);
        return;
    }
    assert_ok(tsl_recreader_open(&r, path, &by_content, &err), &err);
    size_t other = tsl_dtype_bytes(tsl_recreader_head(r)->schema.columns[0].type);
    for (size_t i = 0; i < t->n; i++) {
        const struct tsl_value *v = t->records[i].values;
        assert_int_equal(tsl_recreader_next(r, &rec, &err), 1);
        assert_int_equal(rec.values[0].n, v->n);
        for (uint32_t k = 0; k < v->n; k++) {
            uint64_t x = 0, y = 0;
            memcpy(&x, (const uint8_t *)v->data + k * size, size);
            memcpy(&y, (const uint8_t *)rec.values[0].data + k * other, other);
            assert_int_equal(x, y);
        }
    }
    assert_int_equal(tsl_recreader_next(r, &rec, &err), 0);
    tsl_recreader_destroy(r);
}

/* Formats that do not keep records have pieces of that many ids. */
enum { PIECE = 65536 };

static void there_and_back(struct gen *g, const struct idkind *a, const struct idkind *b,
                           bool wide)
{
    struct recdata records[RECORDS_MAX];
    struct tsl_err err = { 0 };
    struct tsl_shardset_opts to_a = { .writer.format = a->format },
                             to_b = { .writer.format = b->format };
    struct rectrip t = { .opts = { .format = "native" }, .records = records };
    static const enum tsl_dtype some[] = { TSL_I64, TSL_I32, TSL_U32, TSL_U16 };
    enum tsl_dtype type =
        given_back(a, wide, given_back(b, wide, some[gen_below(g, wide ? 3 : 4)]));
    bool pieces = !a->keeps_records || !b->keeps_records;
    char meta[40];
    /* 65499: the most that Megatron takes for two bytes */
    snprintf(meta, sizeof meta, "{\"vocab_size\":%s}", wide ? "2147483648" : "65499");
    t.head.meta = meta;
    assert_ok(tsl_schema_add(&t.head.schema, "ids", type, true, 0, NULL, &err), &err);
    t.n = gen_below(g, 5) ? 1 + gen_below(g, pieces ? 3 : 30) : 0;
    for (size_t i = 0; i < t.n; i++) {
        uint32_t n = pieces ? i + 1 < t.n ? PIECE : 1 + (uint32_t)gen_below(g, PIECE)
                            : length(g, a->no_empty || b->no_empty, false);
        ids(&records[i], g, type, n, wide ? UINT64_C(1) << 31 : 65499);
    }
    assert_ok(rectrip_write(&t, "src", &err), &err);
    to_a.shard_rows = gen_below(g, 2) ? 1 + gen_below(g, 9) : 0;
    to_b.shard_rows = gen_below(g, 2) ? 1 + gen_below(g, 9) : 0;
    to_set("src.tslrec", "a", to_a);
    rectrip_is(&t, "a", &by_content);
    to_set("a", "b", to_b);
    same_ids(&t, "b", given_back(b, wide, type) == type);
    to_set("b", "again", to_a);
    same_set("a", "again");
    for (size_t i = 0; i < t.n; i++)
        recdata_free(&records[i]);
}

static void ids_go_from_every_format_to_every_other_and_back(void **state)
{
    (void)state;
    fault_skip_syncs(true);
    for (unsigned k = 0; k < NIDKINDS * NIDKINDS * 2 * rounds(); k++) {
        const struct idkind *a = &idkinds[k % NIDKINDS],
                            *b = &idkinds[k / NIDKINDS % NIDKINDS];
        struct gen g = { k + 9 };
        bool wide = k / (NIDKINDS * NIDKINDS) % 2 && a->wide + b->wide &&
                    strcmp(a->format, "u16") != 0 && strcmp(b->format, "u16") != 0;
        print_message("%u: %s, %s\n", k, a->format, b->format);
        there_and_back(&g, a, b, wide);
    }
    fault_skip_syncs(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_set_becomes_every_other_and_comes_back),
        TEST(every_file_becomes_every_other_and_comes_back),
        TEST(ids_go_from_every_format_to_every_other_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
