#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/endian.h"
#include "support/fixture.h"
#include "support/rectrip.h"

static struct rectrip trip(const struct recdata *records, size_t n, enum tsl_dtype type,
                           bool sents)
{
    struct rectrip t = { .opts = { .format = "megatron",
                                   .layout = sents ? "sentence" : NULL },
                         .records = records,
                         .n = n };
    assert_ok(tsl_schema_add(&t.head.schema, "ids", type, true, 0, NULL, NULL), NULL);
    if (sents)
        assert_ok(tsl_schema_add(&t.head.schema, "sents", TSL_U32, true, 0, NULL, NULL),
                  NULL);
    return t;
}

/* Documents of nsents[i] sentences each; sentence k has k tokens, the first none. */
static void make(struct recdata *records, size_t n, size_t size, const uint32_t *nsents)
{
    struct gen g = { n };
    for (size_t i = 0; i < n; i++) {
        uint32_t total = 0, *sents = calloc(nsents[i] + 1, 4);
        for (uint32_t k = 0; k < nsents[i]; k++)
            total += sents[k] = k;
        uint8_t *ids = calloc(total + 1, size);
        for (uint32_t k = 0; k < total; k++)
            gen_bytes(&g, ids + k * size, 2);
        records[i] = (struct recdata){ .ncolumns = 2,
                                       .data = { ids, (uint8_t *)sents },
                                       .values = { { ids, NULL, total },
                                                   { sents, NULL, nsents[i] } } };
    }
}

static void drop(struct recdata *records, size_t n)
{
    for (size_t i = 0; i < n; i++)
        recdata_free(&records[i]);
}

static void documents_and_sentences_come_back(void **state)
{
    (void)state;
    static const uint32_t nsents[] = { 3, 1, 0, 2, 9, 0 };
    struct recdata records[6];
    for (int wide = 0; wide < 2; wide++) {
        enum tsl_dtype type = wide ? TSL_I32 : TSL_U16;
        make(records, 6, wide ? 4 : 2, nsents);
        struct rectrip t = trip(records, 6, type, true);
        rectrip_both(&t, "a.idx");
        rectrip_is(&t, "a.bin", NULL);
        /* without the sentences each document is one sequence */
        for (size_t i = 0; i < 6; i++)
            records[i].ncolumns = 1;
        t = trip(records, 6, type, false);
        rectrip_both(&t, "a.idx");
        for (size_t i = 0; i < 6; i++)
            records[i].ncolumns = 2;
        drop(records, 6);
    }
}

static void an_index_without_documents_is_one(void **state)
{
    (void)state;
    struct rectrip t = trip(NULL, 0, TSL_U16, false);
    rectrip_both(&t, "a.idx");
    assert_true(file_is("a.idx",
                        "MMIDIDX\0\0\1\0\0\0\0\0\0\0\x8\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"
                        "\0\0\0\0\0\0\0\0",
                        42));
}

static void the_files_have_the_bytes_of_the_definition(void **state)
{
    (void)state;
    const uint32_t ids[] = { 1, 70000, 2 }, more[] = { 3 };
    const struct recdata records[] = { { .ncolumns = 1, .values = { { ids, NULL, 3 } } },
                                       { .ncolumns = 1,
                                         .values = { { more, NULL, 1 } } } };
    struct rectrip t = trip(records, 2, TSL_U32, false);
    struct tsl_err err = { 0 };
    assert_ok(rectrip_write(&t, "a", &err), &err);
    assert_true(file_is("a.bin", "\1\0\0\0\x70\x11\1\0\2\0\0\0\3\0\0\0", 16));
    assert_true(file_is("a.idx",
                        "MMIDIDX\0\0\1\0\0\0\0\0\0\0\4\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0"
                        "\3\0\0\0\1\0\0\0"                  /* lengths */
                        "\0\0\0\0\0\0\0\0\xc\0\0\0\0\0\0\0" /* places */
                        "\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0",
                        34 + 8 + 16 + 24));
}

/* What Megatron's own builder wrote is written again, byte by byte. */
static void what_megatron_wrote_is_written_again(void **state)
{
    (void)state;
    static const char *const sets[] = { "sample_sentence_u16", "synthetic_sentence_u16",
                                        "synthetic_document_i32" };
    for (size_t k = 0; k < 3; k++) {
        struct tsl_recreader_opts ro = { .format = "megatron" };
        struct tsl_recwriter_opts wo = { .format = "megatron", .layout = "sentence" };
        struct tsl_recreader *r;
        struct tsl_recwriter *w;
        struct tsl_record rec;
        struct tsl_err err = { 0 };
        const struct tsl_recfile *files;
        size_t n[2], nfiles;
        uint8_t *p[2];
        char name[80];
        int rc;
        for (int i = 0; i < 2; i++) {
            snprintf(name, sizeof name, "formats/megatron/%s.%s", sets[k],
                     i ? "idx" : "bin");
            p[i] = fixture_get(name, &n[i]);
            file_put(i ? "x.idx" : "x.bin", p[i], n[i]);
        }
        assert_ok(tsl_recreader_open(&r, "x.idx", &ro, &err), &err);
        assert_ok(tsl_recwriter_create(&w, tsl_recreader_head(r), &wo, &err), &err);
        assert_ok(tsl_recwriter_begin(w, "y", &err), &err);
        while ((rc = tsl_recreader_next(r, &rec, &err)) == 1)
            assert_ok(tsl_recwriter_put(w, &rec, &err), &err);
        assert_ok(rc, &err);
        assert_int_equal(tsl_recwriter_bytes(w), n[0] + n[1]);
        assert_ok(tsl_recwriter_end(w, &err), &err);
        assert_ok(tsl_recwriter_commit(w, &files, &nfiles, &err), &err);
        assert_int_equal(nfiles, 2);
        assert_string_equal(files[1].name, "y.idx");
        tsl_recwriter_destroy(w);
        tsl_recreader_destroy(r);
        assert_true(file_is("y.bin", p[0], n[0]));
        assert_true(file_is("y.idx", p[1], n[1]));
        free(p[0]);
        free(p[1]);
    }
}

/* Bytes of an id in the file that is written. */
static unsigned id_bytes(enum tsl_dtype type, const char *meta)
{
    uint64_t id = 7;
    const struct recdata r = { .ncolumns = 1, .values = { { &id, NULL, 1 } } };
    struct rectrip t = trip(&r, 1, type, false);
    char text[80];
    struct tsl_err err = { 0 };
    size_t n;
    snprintf(text, sizeof text, "%s", meta ? meta : "");
    t.head.meta = meta ? text : NULL;
    assert_ok(rectrip_write(&t, "a", &err), &err);
    free(file_get("a.bin", &n));
    return (unsigned)n;
}

static void ids_are_of_16_bits_where_the_vocabulary_is_small(void **state)
{
    (void)state;
    assert_int_equal(id_bytes(TSL_U16, NULL), 2);
    assert_int_equal(id_bytes(TSL_U8, NULL), 2);
    assert_int_equal(id_bytes(TSL_U32, NULL), 4);
    assert_int_equal(id_bytes(TSL_I64, "{\"vocab_size\": 65499}"), 2);
    assert_int_equal(id_bytes(TSL_U16, "{\"vocab_size\": 65500}"), 4);
    assert_int_equal(id_bytes(TSL_I32, "{\"vocab_size\": -3}"), 4);
    assert_int_equal(id_bytes(TSL_I32, "{\"vocab_size\": \"a\"}"), 4);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    const uint32_t ids[] = { 5, UINT32_C(0x80000000) }, sents[] = { 1, 2 };
    const struct recdata r = { .ncolumns = 2,
                               .values = { { ids, NULL, 2 }, { sents, NULL, 2 } } };
    struct rectrip t = trip(&r, 1, TSL_U32, false);
    struct tsl_err err = { 0 };
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err,
               "record 0: id 2147483648 at 1 does not fit 31 bits");
    t = trip(&r, 1, TSL_U32, true);
    assert_err(rectrip_write(&t, "a", &err), TSL_EFORMAT, &err,
               "its sentences have 3 tokens, it has 2");
    t.opts.layout = "page";
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err, "document and sentence");
    t = trip(&r, 1, TSL_U32, false);
    t.opts.layout = "sentence";
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err, "no column sents");
    t = trip(&r, 1, TSL_U32, false);
    assert_err(rectrip_write(&t, NULL, &err), TSL_EUSAGE, &err, "not a pipe");
    t.opts.gzip = true;
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err, "not compressed");
    t = trip(&r, 1, TSL_F32, false);
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err, "whole numbers");
    assert_true(folder_is_empty("."));
}

static int open_idx(const uint8_t *p, size_t n, struct tsl_err *err)
{
    struct tsl_recreader_opts o = { .format = "megatron", .memory = 1 << 20 };
    struct tsl_recreader *r;
    file_put("a.idx", p, n);
    int rc = tsl_recreader_open(&r, "a.idx", &o, err);
    if (rc == 0)
        tsl_recreader_destroy(r);
    return rc;
}

static void numbers_near_their_ends_are_refused(void **state)
{
    (void)state;
    static const uint32_t nsents[] = { 3, 2 };
    static const uint64_t large[] = { 3,
                                      1u << 16,
                                      UINT64_C(1) << 32,
                                      UINT64_C(1) << 61,
                                      UINT64_MAX / 12,
                                      UINT64_MAX / 8 + 1,
                                      INT64_MAX,
                                      UINT64_MAX };
    struct recdata records[2];
    struct tsl_err err = { 0 };
    size_t n;
    make(records, 2, 2, nsents);
    struct rectrip t = trip(records, 2, TSL_U16, true);
    assert_ok(rectrip_write(&t, "a", &err), &err);
    uint8_t *p = file_get("a.idx", &n), saved[8];
    static const size_t at[] = { 18, 26, 34 + 20, 34 + 60, 34 + 68, 34 + 76 };
    for (size_t k = 0; k < sizeof at / sizeof *at; k++)
        for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
            memcpy(saved, p + at[k], 8);
            if (tsl_load64(p + at[k]) == large[i])
                continue;
            tsl_store64(p + at[k], large[i]);
            int rc = open_idx(p, n, &err);
            if (rc == 0) /* 3 may be true */
                assert_int_equal(large[i], 3);
            else
                assert_err(rc, TSL_EFORMAT, &err, ": ");
            memcpy(p + at[k], saved, 8);
        }
    p[17] = 9;
    assert_err(open_idx(p, n, &err), TSL_EFORMAT, &err, "a.idx: unknown type 9");
    free(p);
    drop(records, 2);
}

static void damage_is_told_as_far_as_sizes_tell_it(void **state)
{
    (void)state;
    static const uint32_t nsents[] = { 3, 0, 4 };
    struct recdata records[3];
    struct tsl_err err = { 0 };
    make(records, 3, 2, nsents);
    struct rectrip t = trip(records, 3, TSL_U16, true);
    assert_ok(rectrip_write(&t, "a", &err), &err);
    rectrip_damage(&t, "a.idx", NULL, "a.idx", RECTRIP_SAME, RECTRIP_OTHER);
    rectrip_damage(&t, "a.idx", NULL, "a.bin", RECTRIP_SAME, RECTRIP_OTHER);
    assert_int_equal(unlink("a.bin"), 0);
    struct tsl_recreader_opts o = { .format = "megatron" };
    struct tsl_recreader *r;
    assert_err(tsl_recreader_open(&r, "a.idx", &o, &err), TSL_EIO, &err, "a.bin");
    drop(records, 3);
}

static void any_failure_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    static const uint32_t nsents[] = { 3, 2 };
    struct recdata records[2];
    make(records, 2, 2, nsents);
    struct rectrip t = trip(records, 2, TSL_U16, true);
    rectrip_faults(&t, "a.idx");
    drop(records, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(documents_and_sentences_come_back),
        TEST(an_index_without_documents_is_one),
        TEST(the_files_have_the_bytes_of_the_definition),
        TEST(what_megatron_wrote_is_written_again),
        TEST(ids_are_of_16_bits_where_the_vocabulary_is_small),
        TEST(what_does_not_fit_is_refused),
        TEST(numbers_near_their_ends_are_refused),
        TEST(damage_is_told_as_far_as_sizes_tell_it),
        TEST(any_failure_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
