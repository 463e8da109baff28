#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "record/record.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shards_are_numbered_through_and_told_by_content),
        TEST(what_is_no_record_file_is_refused),
        TEST(formats_have_names_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
