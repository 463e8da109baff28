#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "samples/maskmeta.h"
#include "samples/samplemap.h"
#include "support/fault.h"
#include "support/jobdata.h"

static void run(const struct tsl_maskjob_opts *o)
{
    struct tsl_maskjob_stats st;
    struct tsl_err err = { 0 };
    assert_ok(tsl_maskjob_run(o, &st, &err), &err);
    assert_true(st.samples > 0);
}

static struct tsl_recreader *open_it(const char *name)
{
    struct tsl_recreader_opts o = { .memory = 0 };
    struct tsl_recreader *r;
    struct tsl_err err = { 0 };
    assert_ok(tsl_recreader_open(&r, name, &o, &err), &err);
    return r;
}

static bool equal(const struct tsl_schema *s, const struct tsl_value *a,
                  const struct tsl_value *b)
{
    for (size_t i = 0; i < s->ncolumns; i++)
        if (a[i].n != b[i].n ||
            (a[i].n && memcmp(a[i].data, b[i].data,
                              (size_t)tsl_value_bytes(&s->columns[i], &a[i])) != 0))
            return false;
    return true;
}

static void samples_masked_when_read_are_those_of_a_static_run(void **state)
{
    (void)state;
    jobdata_docs("docs", 30);
    static const enum tsl_maskjob_kind kinds[] = { TSL_MASKJOB_PAIR, TSL_MASKJOB_TWOSEG,
                                                   TSL_MASKJOB_PACK,
                                                   TSL_MASKJOB_BESTFIT };
    for (size_t i = 0; i < 4; i++)
        for (int d = 1; d < TSL_NDENOISES; d++) {
            enum tsl_denoise_kind denoise = (enum tsl_denoise_kind)d;
            struct tsl_maskjob_opts o = jobdata_job(kinds[i], denoise);
            struct tsl_samplemap_opts mo = { .mask = true, .epoch = 5 };
            struct tsl_samplemap *m;
            struct tsl_record raw, made, want;
            struct tsl_err err = { 0 };
            o.epoch = 5;
            run(&o);
            o.output = "static";
            o.copies = 1;
            run(&o);
            struct tsl_recreader *a = open_it("out"), *b = open_it("static");
            assert_ok(tsl_samplemap_create(&m, tsl_recreader_head(a), "out", &mo, &err),
                      &err);
            const struct tsl_schema *s = &tsl_samplemap_head(m)->schema;
            assert_true(tsl_schema_equal(s, &tsl_recreader_head(b)->schema));
            int rc;
            while ((rc = tsl_recreader_next(a, &raw, &err)) == 1) {
                assert_ok(tsl_samplemap_apply(m, &raw, &made, &err), &err);
                assert_int_equal(made.number, raw.number);
                assert_int_equal(tsl_recreader_next(b, &want, &err), 1);
                assert_true(equal(s, made.values, want.values));
            }
            assert_ok(rc, &err);
            assert_int_equal(tsl_recreader_next(b, &want, &err), 0);
            tsl_samplemap_destroy(m);
            tsl_recreader_destroy(a);
            tsl_recreader_destroy(b);
        }
}

static void a_map_without_masks_gives_the_same_samples(void **state)
{
    (void)state;
    jobdata_docs("docs", 10);
    for (uint32_t copies = 0; copies < 2; copies++) {
        struct tsl_maskjob_opts o = jobdata_job(TSL_MASKJOB_PAIR, TSL_DENOISE_MLM);
        struct tsl_samplemap_opts mo = { .mask = false };
        struct tsl_samplemap *m;
        struct tsl_record raw, made;
        struct tsl_err err = { 0 };
        o.copies = copies;
        run(&o);
        struct tsl_recreader *r = open_it("out");
        const struct tsl_rechead *h = tsl_recreader_head(r);
        assert_ok(tsl_samplemap_create(&m, h, "out", &mo, &err), &err);
        assert_true(tsl_schema_equal(&tsl_samplemap_head(m)->schema, &h->schema));
        while (tsl_recreader_next(r, &raw, &err) == 1) {
            assert_ok(tsl_samplemap_apply(m, &raw, &made, &err), &err);
            assert_true(equal(&h->schema, raw.values, made.values));
        }
        tsl_samplemap_destroy(m);
        tsl_recreader_destroy(r);
    }
}

static void padded_layouts_have_the_length_that_is_asked_for(void **state)
{
    (void)state;
    jobdata_docs("docs", 10);
    struct tsl_maskjob_opts o = jobdata_job(TSL_MASKJOB_PAIR, TSL_DENOISE_MLM);
    struct tsl_record raw, made;
    struct tsl_err err = { 0 };
    run(&o);
    for (int layout = TSL_LAYOUT_BERT; layout <= TSL_LAYOUT_HF; layout++)
        for (uint32_t n = 0; n <= 40; n += 40) {
            struct tsl_samplemap_opts mo = { .mask = true,
                                             .layout = (enum tsl_sample_layout)layout,
                                             .tokens_max = n };
            struct tsl_samplemap *m;
            struct tsl_recreader *r = open_it("out");
            assert_ok(tsl_samplemap_create(&m, tsl_recreader_head(r), "out", &mo, &err),
                      &err);
            int c = tsl_schema_find(&tsl_samplemap_head(m)->schema, "input_ids");
            assert_true(c >= 0);
            while (tsl_recreader_next(r, &raw, &err) == 1) {
                assert_ok(tsl_samplemap_apply(m, &raw, &made, &err), &err);
                assert_int_equal(made.values[c].n, n ? n : 24);
            }
            tsl_samplemap_destroy(m);
            tsl_recreader_destroy(r);
        }
}

static void what_cannot_be_had_is_told_with_the_files_name(void **state)
{
    (void)state;
    jobdata_docs("docs", 10);
    struct tsl_maskjob_opts o = jobdata_job(TSL_MASKJOB_PAIR, TSL_DENOISE_MLM);
    struct tsl_samplemap_opts mo = { .mask = true };
    struct tsl_samplemap *m;
    struct tsl_rechead h = { .first = 0 };
    struct tsl_err err = { 0 };
    o.copies = 1;
    run(&o);
    struct tsl_recreader *r = open_it("out");
    assert_err(tsl_samplemap_create(&m, tsl_recreader_head(r), "out", &mo, &err),
               TSL_EUSAGE, &err, "out: these samples are masked already");
    /* another header's meta, and columns that are no samples' */
    h.schema = tsl_recreader_head(r)->schema;
    assert_err(tsl_samplemap_create(&m, &h, "q", &mo, &err), TSL_EFORMAT, &err,
               "q: its header does not say");
    h.schema.columns[1].name[0] = 'X';
    assert_err(tsl_samplemap_create(&m, &h, "q", &mo, &err), TSL_EFORMAT, &err, "q: ");
    h.schema.ncolumns = 0;
    assert_err(tsl_samplemap_create(&m, &h, "q", &mo, &err), TSL_EFORMAT, &err, "q: ");
    tsl_recreader_destroy(r);
}

/* Values of a sample that are others, and more or fewer: it is no sample, or is one. */
static void records_that_are_no_samples_do_no_harm(void **state)
{
    (void)state;
    jobdata_docs("docs", 4);
    for (int d = 1; d < TSL_NDENOISES; d++)
        for (uint32_t copies = 0; copies < 2; copies++) {
            struct tsl_maskjob_opts o =
                jobdata_job(TSL_MASKJOB_PACK, (enum tsl_denoise_kind)d);
            struct tsl_samplemap_opts mo = { .mask = copies == 0 };
            struct tsl_samplemap *m;
            struct tsl_record raw, made;
            struct tsl_err err = { 0 };
            struct gen g = { 3 };
            o.copies = copies;
            run(&o);
            struct tsl_recreader *r = open_it("out");
            const struct tsl_schema *s = &tsl_recreader_head(r)->schema;
            assert_ok(tsl_samplemap_create(&m, tsl_recreader_head(r), "out", &mo, &err),
                      &err);
            assert_int_equal(tsl_recreader_next(r, &raw, &err), 1);
            for (unsigned k = 0; k < 2000; k++) {
                struct tsl_value values[TSL_COLUMNS_MAX];
                size_t c = gen_below(&g, s->ncolumns);
                size_t size = tsl_dtype_bytes(s->columns[c].type);
                memcpy(values, raw.values, s->ncolumns * sizeof *values);
                uint32_t n = values[c].n, more = n + (uint32_t)gen_below(&g, 3);
                uint8_t *p = calloc(more + 1, size);
                if (n)
                    memcpy(p, values[c].data, n * size);
                if (n && k % 2) {
                    size_t at = gen_below(&g, n * size);
                    p[at] = s->columns[c].type == TSL_BIT ? !p[at] : (uint8_t)gen_u64(&g);
                } else if (s->columns[c].count == 0) {
                    n = gen_below(&g, 2) ? more : (uint32_t)gen_below(&g, n + 1);
                }
                values[c] = (struct tsl_value){ p, NULL, n };
                struct tsl_record in = { 0, values };
                int rc = tsl_samplemap_apply(m, &in, &made, &err);
                assert_true(rc == 0 || (err.code == rc && rc != TSL_ENOMEM));
                err = (struct tsl_err){ 0 };
                free(p);
            }
            tsl_samplemap_destroy(m);
            tsl_recreader_destroy(r);
        }
}

static int map_one(void *ctx, struct tsl_err *err)
{
    struct tsl_recreader *r = ctx;
    struct tsl_samplemap_opts mo = { .mask = true, .layout = TSL_LAYOUT_BERT };
    struct tsl_samplemap *m;
    struct tsl_record raw, made;
    int rc = tsl_samplemap_create(&m, tsl_recreader_head(r), "out", &mo, err);
    if (rc < 0)
        return rc;
    rc = tsl_recreader_at(r, 0, &raw, err);
    if (rc == 1)
        rc = tsl_samplemap_apply(m, &raw, &made, err);
    tsl_samplemap_destroy(m);
    return rc;
}

static void any_allocation_that_fails_is_told(void **state)
{
    (void)state;
    jobdata_docs("docs", 4);
    struct tsl_maskjob_opts o = jobdata_job(TSL_MASKJOB_PAIR, TSL_DENOISE_MLM);
    struct tsl_err err = { 0 };
    run(&o);
    struct tsl_recreader *r = open_it("out");
    assert_ok(map_one(r, &err), &err); /* the reader has what it needs */
    fault_each_allocation(map_one, r);
    tsl_recreader_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(samples_masked_when_read_are_those_of_a_static_run),
        TEST(a_map_without_masks_gives_the_same_samples),
        TEST(padded_layouts_have_the_length_that_is_asked_for),
        TEST(what_cannot_be_had_is_told_with_the_files_name),
        TEST(records_that_are_no_samples_do_no_harm),
        TEST(any_allocation_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
