#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/writebehind.h"
#include "record/record.h"
#include "support/gendata.h"
#include "support/recdata.h"

static void head_of(struct tsl_rechead *h)
{
    *h = (struct tsl_rechead){ .first = 50 };
    assert_ok(tsl_schema_add(&h->schema, "ids", TSL_U16, true, 0, NULL, NULL), NULL);
    assert_ok(tsl_schema_add(&h->schema, "label", TSL_I32, false, 0, NULL, NULL), NULL);
}

/* Two native shards, a-0 and a-1, of n records each. */
static void write_shards(uint64_t n)
{
    struct tsl_err err = { 0 };
    struct tsl_rechead head;
    struct tsl_recwriter_opts o = { .format = "native" };
    struct tsl_recwriter *w;
    char stem[] = "a-0", meta[] = "{\"seed\": 7}";
    head_of(&head);
    head.meta = meta;
    assert_ok(tsl_recwriter_create(&w, &head, &o, &err), &err);
    for (uint64_t i = 0; i < 2 * n; i++) {
        const struct tsl_recfile *files;
        size_t nfiles;
        struct recdata r;
        if (i % n == 0)
            assert_ok(tsl_recwriter_begin(w, stem, &err), &err);
        recdata_record(&r, &head.schema, i, 50);
        struct tsl_record rec = { 0, r.values };
        assert_ok(tsl_recwriter_put(w, &rec, &err), &err);
        r.values[1].n = 2;
        assert_err(tsl_recwriter_put(w, &rec, &err), TSL_EUSAGE, &err,
                   "column label: 2 values, but each record has 1");
        recdata_free(&r);
        if (i % n < n - 1)
            continue;
        uint64_t bytes = tsl_recwriter_bytes(w);
        assert_ok(tsl_recwriter_end(w, &err), &err);
        assert_ok(tsl_recwriter_commit(w, &files, &nfiles, &err), &err);
        assert_int_equal(nfiles, 1);
        assert_in_range(files[0].bytes, bytes - 100, bytes);
        stem[2]++;
    }
    tsl_recwriter_destroy(w);
}

static void shards_are_numbered_through_and_told_by_content(void **state)
{
    (void)state;
    enum { N = 300 };
    write_shards(N);
    assert_int_equal(rename("a-1.tslrec", "other"), 0);
    for (int s = 0; s < 2; s++) {
        struct tsl_err err = { 0 };
        struct tsl_recreader_opts o = { .memory = 0 };
        struct tsl_recreader *r;
        struct tsl_record rec;
        uint64_t n;
        assert_ok(tsl_recreader_open(&r, s ? "other" : "a-0.tslrec", &o, &err), &err);
        assert_string_equal(tsl_recreader_format(r), "native");
        const struct tsl_rechead *h = tsl_recreader_head(r);
        assert_string_equal(h->meta, "{\"seed\": 7}");
        assert_int_equal(h->first, 50 + N * s);
        assert_ok(tsl_recreader_count(r, &n, &err), &err);
        assert_int_equal(n, N);
        for (uint64_t i = 0; i < N; i++) {
            struct recdata want;
            assert_int_equal(tsl_recreader_next(r, &rec, &err), 1);
            recdata_record(&want, &h->schema, (uint64_t)s * N + i, 50);
            assert_int_equal(rec.number, h->first + i);
            assert_true(recdata_equal(&h->schema, rec.values, want.values));
            recdata_free(&want);
        }
        assert_ok(tsl_recreader_next(r, &rec, &err), &err);
        assert_ok(tsl_recreader_at(r, 17, &rec, &err), &err);
        assert_int_equal(rec.number, h->first + 17);
        tsl_recreader_destroy(r);
    }
}

static void what_is_no_record_file_is_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_recreader_opts o = { .memory = 0 };
    struct tsl_recreader *r;
    file_put_text("x", "\x01\x02 no records at all");
    assert_err(tsl_recreader_open(&r, "x", &o, &err), TSL_EFORMAT, &err, "no format");
    file_put_text("x", "");
    assert_true(tsl_recreader_open(&r, "x", &o, &err) < 0);
    err = (struct tsl_err){ 0 };
    assert_err(tsl_recreader_open(&r, ".", &o, &err), TSL_EFORMAT, &err, "no set");
    assert_err(tsl_recreader_open(&r, "y", &o, &err), TSL_EIO, &err, "y");
    o.format = "nativ";
    assert_err(tsl_recreader_open(&r, "x", &o, &err), TSL_EUSAGE, &err,
               "no format of records; there are");
    o.format = "native";
    file_put_text("x", "TSLREC1");
    assert_err(tsl_recreader_open(&r, "x", &o, &err), TSL_EFORMAT, &err, "native");
    assert_err(tsl_recreader_open(&r, ".", &o, &err), TSL_EUSAGE, &err, "folder");
}

static void formats_have_names_of_their_own(void **state)
{
    (void)state;
    const struct tsl_recformat *const *f = tsl_recformats();
    for (size_t i = 0; f[i]; i++)
        assert_ptr_equal(tsl_recformat_named(f[i]->name), f[i]);
    assert_null(tsl_recformat_named("none"));
}

enum { ROWS = 400, COLUMNS = 5, LIST_MAX = 700 };

/* ROWS rows of lists of two types and of single numbers, mostly as token ids are. */
static struct tsl_recrows make_rows(struct tsl_schema *s, uint8_t *data[COLUMNS],
                                    uint32_t *ends[COLUMNS], bool empty)
{
    static const enum tsl_dtype types[COLUMNS] = { TSL_U16, TSL_U64, TSL_I32, TSL_U8,
                                                   TSL_U16 };
    struct tsl_recrows rows = { .first = 0, .n = ROWS };
    struct gen g = { 5 };
    for (unsigned i = 0; i < COLUMNS; i++) {
        char name[2] = { (char)('e' - i), 0 };
        bool list = i == 0 || i == 2 || i == 4;
        size_t size = tsl_dtype_bytes(types[i]), n = 0;
        assert_ok(tsl_schema_add(s, name, types[i], list, 0, NULL, NULL), NULL);
        data[i] = calloc((size_t)ROWS * LIST_MAX, size);
        ends[i] = calloc(ROWS, sizeof *ends[i]);
        for (unsigned k = 0; k < ROWS; k++) {
            size_t most = k % 50 == 7 ? LIST_MAX : 130;
            n += list ? !empty + gen_below(&g, most) : 1;
            ends[i][k] = (uint32_t)n;
        }
        for (size_t v = 0; v < n; v++) {
            uint64_t bits = gen_u64(&g) >> gen_below(&g, 64);
            memcpy(data[i] + v * size, &bits, size);
        }
        rows.columns[i] = (struct tsl_recrows_column){ .values = data[i],
                                                       .ends = list ? ends[i] : NULL };
    }
    return rows;
}

/* All rows as format has them, in pieces of piece rows; 0: one by one. */
static int write_rows(const char *format, const struct tsl_schema *s,
                      const struct tsl_recrows *rows, uint32_t piece, const char *stem,
                      struct tsl_err *err)
{
    struct tsl_rechead head = { .schema = *s };
    struct tsl_recwriter_opts o = { .format = format };
    struct tsl_recwriter *w;
    const struct tsl_recfile *files;
    struct tsl_recrows rest = *rows;
    struct tsl_value values[COLUMNS];
    size_t nfiles;
    assert_ok(tsl_writebehind_create(&o.help.behind, err), err);
    int rc = tsl_recwriter_create(&w, &head, &o, err);
    assert_ok(rc, err);
    assert_ok(tsl_recwriter_begin(w, stem, err), err);
    for (uint32_t k = 0; rc == 0 && piece == 0 && k < ROWS; k++) {
        for (unsigned i = 0; i < COLUMNS; i++)
            values[i] = tsl_recrows_value(rows, i, &s->columns[i], k);
        rc = tsl_recwriter_put(w, &(struct tsl_record){ k, values }, err);
    }
    while (rc == 0 && piece && rest.n) {
        struct tsl_recrows part = rest;
        part.n = piece < rest.n ? piece : rest.n;
        rc = tsl_recwriter_put_rows(w, &part, err);
        tsl_recrows_skip(&rest, s, part.n);
    }
    if (rc == 0)
        rc = tsl_recwriter_end(w, err);
    if (rc == 0)
        rc = tsl_recwriter_commit(w, &files, &nfiles, err);
    tsl_recwriter_destroy(w);
    tsl_writebehind_destroy(o.help.behind);
    return rc;
}

static void rows_at_once_are_the_bytes_of_one_by_one(void **state)
{
    (void)state;
    static const char *const formats[][2] = { { "mds", ".mds" },
                                              { "tfrecord", ".tfrecord" },
                                              { "jsonl", ".jsonl" },
                                              { "native", ".tslrec" } };
    static const uint32_t pieces[] = { 1, 7, 399, 400 };
    struct tsl_schema s = { .ncolumns = 0 };
    struct tsl_err err = { 0 };
    uint8_t *data[COLUMNS];
    uint32_t *ends[COLUMNS];
    struct tsl_recrows rows = make_rows(&s, data, ends, false);
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        char one[32], other[32];
        size_t n;
        snprintf(one, sizeof one, "one%s", formats[f][1]);
        snprintf(other, sizeof other, "other%s", formats[f][1]);
        assert_ok(write_rows(formats[f][0], &s, &rows, 0, "one", &err), &err);
        uint8_t *want = file_get(one, &n);
        for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
            assert_ok(write_rows(formats[f][0], &s, &rows, pieces[k], "other", &err),
                      &err);
            assert_true(file_is(other, want, n));
            remove(other);
        }
        free(want);
    }
    for (unsigned i = 0; i < COLUMNS; i++) {
        free(data[i]);
        free(ends[i]);
    }
}

static void rows_with_empty_lists_are_written_or_refused_as_one_by_one(void **state)
{
    (void)state;
    struct tsl_schema s = { .ncolumns = 0 };
    struct tsl_err err = { 0 }, why = { 0 };
    uint8_t *data[COLUMNS];
    uint32_t *ends[COLUMNS];
    size_t n;
    struct tsl_recrows rows = make_rows(&s, data, ends, true);
    assert_ok(write_rows("tfrecord", &s, &rows, 0, "one", &err), &err);
    assert_ok(write_rows("tfrecord", &s, &rows, ROWS, "other", &err), &err);
    uint8_t *want = file_get("one.tfrecord", &n);
    assert_true(file_is("other.tfrecord", want, n));
    assert_int_equal(write_rows("mds", &s, &rows, 0, "one", &why), TSL_EUSAGE);
    assert_err(write_rows("mds", &s, &rows, ROWS, "other", &err), TSL_EUSAGE, &err,
               why.msg);
    free(want);
    for (unsigned i = 0; i < COLUMNS; i++) {
        free(data[i]);
        free(ends[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shards_are_numbered_through_and_told_by_content),
        TEST(what_is_no_record_file_is_refused),
        TEST(formats_have_names_of_their_own),
        TEST(rows_at_once_are_the_bytes_of_one_by_one),
        TEST(rows_with_empty_lists_are_written_or_refused_as_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
