#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/endian.h"
#include "support/fixture.h"
#include "support/rectrip.h"

static struct rectrip trip(const char *format, const struct recdata *records, size_t n,
                           enum tsl_dtype type)
{
    struct rectrip t = { .opts = { .format = format }, .records = records, .n = n };
    assert_ok(tsl_schema_add(&t.head.schema, "ids", type, true, 0, NULL, NULL), NULL);
    return t;
}

static struct recdata record_of(const void *ids, uint32_t n)
{
    return (struct recdata){ .ncolumns = 1, .values = { { ids, NULL, n } } };
}

static void datatroves_documents_come_back(void **state)
{
    (void)state;
    struct recdata records[8];
    for (int wide = 0; wide < 2; wide++) {
        struct rectrip t = trip("datatrove", records, 8, wide ? TSL_U32 : TSL_U16);
        for (unsigned k = 0; k < 8; k++) { /* k = 0: no token */
            recdata_record(&records[k], &t.head.schema, k, 300 * k + 1);
            for (size_t i = 3; wide && i < 4 * (size_t)records[k].values[0].n; i += 4)
                records[k].data[0][i] = 0; /* below 2^31 */
        }
        rectrip_both(&t, "a.ds");
        t.n = 0; /* then nothing tells how wide ids would be */
        if (!wide)
            rectrip_both(&t, "a.ds");
        for (unsigned k = 0; k < 8; k++)
            recdata_free(&records[k]);
    }
}

/* Ids of all records as one record, which is what can be read of the others. */
static void documents_run_together_elsewhere(void **state)
{
    (void)state;
    static const char *const formats[] = { "llmc", "u16", "u32" };
    const uint16_t a[] = { 1, 2 }, b[] = { 65535 };
    const uint32_t all[] = { 1, 2, 65535 };
    const uint16_t all16[] = { 1, 2, 65535 };
    const struct recdata two[] = { record_of(a, 2), record_of(b, 1) };
    for (size_t f = 0; f < 3; f++) {
        struct recdata one = record_of(f == 2 ? (const void *)all : all16, 3);
        struct rectrip t = trip(formats[f], two, 2, TSL_U16);
        struct rectrip back = trip(formats[f], &one, 1, f == 2 ? TSL_U32 : TSL_U16);
        struct tsl_err err = { 0 };
        assert_ok(rectrip_write(&t, "a", &err), &err);
        rectrip_is(&back, "a.bin", NULL);
    }
}

/* Documents without a token do not tell: the metadata does, where it is. */
static void datatroves_empty_documents_keep_their_type(void **state)
{
    (void)state;
    const struct recdata none[] = { record_of(NULL, 0), record_of(NULL, 0) };
    struct rectrip t = trip("datatrove", none, 2, TSL_U32);
    rectrip_both(&t, "a.ds");
    assert_int_equal(unlink("a.ds.metadata"), 0);
    t.head.schema.columns[0].type = TSL_U16;
    rectrip_is(&t, "a.ds", NULL);
    rectrip_both(&t, "a.ds");
}

static void the_files_have_the_bytes_of_the_definition(void **state)
{
    (void)state;
    const uint16_t a[] = { 1, 65535 };
    const struct recdata r[] = { record_of(a, 2), record_of(a, 0), record_of(a, 1) };
    struct tsl_err err = { 0 };
    size_t n;
    struct rectrip t = trip("datatrove", r, 3, TSL_U16);
    assert_ok(rectrip_write(&t, "a", &err), &err);
    assert_true(file_is("a.ds", "\1\0\xff\xff\1\0", 6));
    assert_true(
        file_is("a.ds.index", "\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0", 24));
    assert_true(file_is_text("a.ds.metadata", "Unknown Tokenizer|2\n3\n3.00 T"));
    t = trip("llmc", r, 3, TSL_U16);
    assert_ok(rectrip_write(&t, "a", &err), &err);
    uint8_t *p = file_get("a.bin", &n);
    assert_int_equal(n, 1024 + 6);
    assert_int_equal(tsl_load32(p), 20240520);
    assert_int_equal(tsl_load32(p + 4), 1);
    assert_int_equal(tsl_load32(p + 8), 3);
    for (size_t i = 12; i < 1024; i++)
        assert_int_equal(p[i], 0);
    assert_memory_equal(p + 1024, "\1\0\xff\xff\1\0", 6);
    free(p);
}

static void files_of_llmc_are_written_again(void **state)
{
    (void)state;
    static const char *const names[] = { "gpt2_1000.bin", "llama3_500.bin" };
    for (size_t k = 0; k < 2; k++) {
        struct tsl_recreader_opts ro = { .memory = 0 };
        struct tsl_recwriter_opts wo = { .format = "llmc" };
        struct tsl_recreader *r;
        struct tsl_recwriter *w;
        struct tsl_record rec;
        struct tsl_err err = { 0 };
        const struct tsl_recfile *files;
        size_t n, nfiles;
        char path[60];
        int rc;
        snprintf(path, sizeof path, "formats/llmc/%s", names[k]);
        uint8_t *p = fixture_get(path, &n);
        file_put("x", p, n);
        assert_ok(tsl_recreader_open(&r, "x", &ro, &err), &err);
        assert_string_equal(tsl_recreader_format(r), "llmc");
        assert_ok(tsl_recwriter_create(&w, tsl_recreader_head(r), &wo, &err), &err);
        assert_ok(tsl_recwriter_begin(w, "y", &err), &err);
        while ((rc = tsl_recreader_next(r, &rec, &err)) == 1)
            assert_ok(tsl_recwriter_put(w, &rec, &err), &err);
        assert_ok(rc, &err);
        assert_ok(tsl_recwriter_end(w, &err), &err);
        assert_ok(tsl_recwriter_commit(w, &files, &nfiles, &err), &err);
        tsl_recwriter_destroy(w);
        tsl_recreader_destroy(r);
        assert_true(file_is("y.bin", p, n));
        free(p);
    }
}

static void what_says_no_documents_is_read_in_pieces(void **state)
{
    (void)state;
    enum { N = 65536 * 2 + 5 };
    uint16_t *ids = malloc(2 * N);
    for (uint32_t i = 0; i < N; i++)
        ids[i] = (uint16_t)(i * 7);
    file_put("x", ids, 2 * N);
    const struct recdata pieces[] = { record_of(ids, 65536),
                                      record_of(ids + 65536, 65536),
                                      record_of(ids + 131072, 5) };
    struct rectrip t = trip("u16", pieces, 3, TSL_U16);
    rectrip_is(&t, "x", NULL);
    t.n = 2; /* and exactly full */
    file_put("x", ids, 4 * 65536);
    rectrip_is(&t, "x", NULL);
    t.n = 0;
    file_put("x", ids, 0);
    struct tsl_recreader_opts o = { .format = "u16" };
    struct tsl_recreader *r;
    struct tsl_err err = { 0 };
    struct tsl_record rec;
    file_put("x", ids, 5);
    assert_ok(tsl_recreader_open(&r, "x", &o, &err), &err);
    assert_err(tsl_recreader_next(r, &rec, &err), TSL_EFORMAT, &err,
               "x: it ends within token 2");
    tsl_recreader_destroy(r);
    free(ids);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    const uint32_t ids[] = { 65536 };
    const struct recdata r[] = { record_of(ids, 1) };
    struct tsl_err err = { 0 };
    struct rectrip t = trip("u16", r, 1, TSL_U32);
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err, "does not fit 16 bits");
    char small[] = "{\"vocab_size\": 65536}", large[] = "{\"vocab_size\": 65537}";
    t = trip("llmc", r, 1, TSL_U32);
    t.head.meta = small;
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err, "does not fit 16 bits");
    t.head.meta = large;
    assert_ok(rectrip_write(&t, "a", &err), &err);
    assert_int_equal(unlink("a.bin"), 0);
    assert_err(rectrip_write(&t, NULL, &err), TSL_EUSAGE, &err, "not a pipe");
    t.opts.zstd_level = 1;
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err, "not compressed");
    assert_true(folder_is_empty("."));
}

static void damage_is_told_as_far_as_sizes_tell_it(void **state)
{
    (void)state;
    const uint16_t ids[] = { 1, 2, 3, 4, 5 };
    const struct recdata r[] = { record_of(ids, 2), record_of(ids, 0),
                                 record_of(ids, 3) };
    struct tsl_err err = { 0 };
    struct rectrip t = trip("datatrove", r, 3, TSL_U16);
    assert_ok(rectrip_write(&t, "a", &err), &err);
    rectrip_damage(&t, "a.ds", NULL, "a.ds", RECTRIP_SAME, RECTRIP_OTHER);
    rectrip_damage(&t, "a.ds", NULL, "a.ds.index", RECTRIP_SAME, RECTRIP_OTHER);
    /* the last end is how many tokens there are */
    uint64_t ends[] = { 2, 2, 5 };
    static const uint64_t wrong[] = {
        0, 4, 6, UINT64_C(1) << 32, UINT64_C(1) << 63, (UINT64_C(1) << 63) + 5, UINT64_MAX
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        for (size_t k = 0; k < 3; k++) {
            struct tsl_recreader_opts o = { .format = "datatrove", .memory = 1 << 20 };
            struct tsl_recreader *reader;
            struct tsl_record rec;
            uint64_t was = ends[k];
            ends[k] = wrong[i];
            file_put("a.ds.index", ends, sizeof ends);
            int rc = tsl_recreader_open(&reader, "a.ds", &o, &err);
            if (rc == 0) {
                while ((rc = tsl_recreader_next(reader, &rec, &err)) == 1)
                    ;
                tsl_recreader_destroy(reader);
            }
            if (rc == 0) /* a document that ends elsewhere */
                assert_true(k < 2 && wrong[i] <= 5);
            else
                assert_err(rc, TSL_EFORMAT, &err, "a.ds");
            ends[k] = was;
        }
    const struct recdata one[] = { record_of(ids, 5) };
    t = trip("llmc", one, 1, TSL_U16);
    assert_ok(rectrip_write(&t, "b", &err), &err);
    rectrip_damage(&t, "b.bin", NULL, "b.bin", RECTRIP_SAME, RECTRIP_OTHER);
}

static void any_failure_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    static const char *const formats[] = { "datatrove", "llmc", "u32" };
    const uint32_t ids[] = { 1, 2, 3, 4, 70000 };
    const struct recdata r[] = { record_of(ids, 5) };
    for (size_t f = 0; f < 3; f++) {
        char name[8];
        struct rectrip t = trip(formats[f], r, 1, TSL_U32);
        snprintf(name, sizeof name, "a.%s", f ? "bin" : "ds");
        rectrip_faults(&t, name);
        static const char *const made[] = { "a.ds", "a.ds.index", "a.ds.metadata",
                                            "a.bin" };
        for (size_t i = 0; i < 4; i++)
            (void)unlink(made[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(datatroves_documents_come_back),
        TEST(documents_run_together_elsewhere),
        TEST(datatroves_empty_documents_keep_their_type),
        TEST(the_files_have_the_bytes_of_the_definition),
        TEST(files_of_llmc_are_written_again),
        TEST(what_says_no_documents_is_read_in_pieces),
        TEST(what_does_not_fit_is_refused),
        TEST(damage_is_told_as_far_as_sizes_tell_it),
        TEST(any_failure_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
