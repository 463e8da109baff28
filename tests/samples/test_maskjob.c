#include "support/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "samples/maskjob.h"
#include "support/fault.h"
#include "support/jobdata.h"

static const enum tsl_maskjob_kind kinds[] = {
    TSL_MASKJOB_PAIR,          TSL_MASKJOB_TWOSEG,      TSL_MASKJOB_PACK,
    TSL_MASKJOB_BESTFIT,       TSL_MASKJOB_COMPAT_BERT, TSL_MASKJOB_COMPAT_ALBERT,
    TSL_MASKJOB_COMPAT_ELECTRA
};
enum { NKINDS = sizeof kinds / sizeof kinds[0] };

static struct tsl_maskjob_opts job(size_t kind, uint32_t copies)
{
    struct tsl_maskjob_opts o = jobdata_job(kinds[kind], TSL_DENOISE_MLM);
    o.copies = copies;
    return o;
}

static int run(const struct tsl_maskjob_opts *o, struct tsl_maskjob_stats *st,
               struct tsl_err *err)
{
    struct tsl_maskjob_stats none;
    return tsl_maskjob_run(o, st ? st : &none, err);
}

static void threads_and_memory_do_not_change_a_byte(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    jobdata_docs("docs", 300);
    for (size_t kind = 0; kind < NKINDS; kind++)
        for (int jsonl = 0; jsonl < 2; jsonl++) {
            struct tsl_maskjob_opts o = job(kind, 2);
            size_t n;
            o.jsonl = jsonl;
            assert_ok(run(&o, NULL, &err), &err);
            uint8_t *want = file_get("out", &n);
            assert_true(n > 1000);
            o.nthreads = 3;
            assert_ok(run(&o, NULL, &err), &err);
            assert_true(file_is("out", want, n));
            o.memory = 64 << 10; /* documents go to a temporary file */
            struct tsl_maskjob_stats st;
            assert_ok(run(&o, &st, &err), &err);
            assert_true(file_is("out", want, n));
            o.seed = 78;
            o.bert.seed = o.albert.pair.seed = o.electra.seed = 78;
            assert_ok(run(&o, NULL, &err), &err);
            if (kinds[kind] != TSL_MASKJOB_BESTFIT || !jsonl)
                assert_false(file_is("out", want, n));
            free(want);
            assert_int_equal(folder_count("."), 2);
        }
}

static void statistics_are_those_of_the_records(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    jobdata_docs("docs", 100);
    for (size_t kind = 0; kind < NKINDS; kind++) {
        struct tsl_maskjob_opts o = job(kind, 3);
        struct tsl_maskjob_stats st;
        struct tsl_recreader_opts ro = { .memory = 0 };
        struct tsl_recreader *r;
        struct tsl_record rec;
        uint64_t samples = 0, tokens = 0, masked = 0, lengths = 0;
        size_t bytes;
        o.nthreads = 2;
        assert_ok(run(&o, &st, &err), &err);
        assert_int_equal(st.docs.ndocs, 100);
        free(file_get("out", &bytes));
        assert_int_equal(st.bytes_out, bytes);
        assert_ok(tsl_recreader_open(&r, "out", &ro, &err), &err);
        const struct tsl_schema *s = &tsl_recreader_head(r)->schema;
        int ids = tsl_schema_find(s, "input_ids"), places = tsl_schema_find(s, "places");
        assert_true(ids >= 0);
        while (tsl_recreader_next(r, &rec, &err) == 1) {
            samples++;
            tokens += rec.values[ids].n;
            masked += places < 0 ? 0 : rec.values[places].n;
            assert_true(rec.values[ids].n <= 24);
        }
        for (size_t i = 0; i < 17; i++)
            lengths += st.lengths[i];
        assert_int_equal(samples, st.samples);
        assert_int_equal(tokens, st.tokens);
        assert_int_equal(masked, st.masked);
        assert_int_equal(lengths, st.samples);
        assert_true(st.samples > 100);
        tsl_recreader_destroy(r);
    }
}

static void copies_differ_and_the_first_is_that_of_one_copy(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    jobdata_docs("docs", 20);
    for (size_t kind = 0; kind < 4; kind++) {
        struct tsl_maskjob_opts o = job(kind, 1);
        struct tsl_maskjob_stats one, three;
        size_t n, m;
        o.jsonl = true;
        assert_ok(run(&o, &one, &err), &err);
        uint8_t *first = file_get("out", &n);
        o.copies = 3;
        assert_ok(run(&o, &three, &err), &err);
        uint8_t *all = file_get("out", &m);
        assert_true(m > 2 * n);
        assert_memory_equal(all, first, n);
        assert_memory_not_equal(all + n, first, n);
        o.copies = 1; /* the second is the first of the next epoch */
        o.epoch = 1;
        assert_ok(run(&o, &one, &err), &err);
        size_t k;
        uint8_t *second = file_get("out", &k);
        assert_memory_equal(all + n, second, k);
        free(first);
        free(all);
        free(second);
    }
}

/* Two copies need all documents, one takes them as they come. */
static void documents_that_pass_by_give_what_those_kept_give(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    jobdata_docs("docs", 400);
    for (size_t kind = 0; kind < 3; kind++)
        for (int i = 0; i < 6; i++) {
            struct tsl_maskjob_opts o = job(kind, 1);
            size_t n, m;
            o.jsonl = true;
            o.pair.window = i < 2 ? 3 : i < 4 ? 90 : 399;
            o.pair.lone = i & 1 ? TSL_PAIR_LONE_RANDOM : TSL_PAIR_LONE_SPLIT;
            o.nthreads = 1 + (unsigned)i % 3;
            o.memory = i & 1 ? 64 << 20 : 16 << 10;
            assert_false(tsl_maskjob_needs_all(&o));
            assert_ok(run(&o, NULL, &err), &err);
            uint8_t *near = file_get("out", &n);
            o.copies = 2;
            assert_true(tsl_maskjob_needs_all(&o));
            assert_ok(run(&o, NULL, &err), &err);
            uint8_t *kept = file_get("out", &m);
            assert_true(n > 1000 && m > n);
            assert_memory_equal(near, kept, n);
            free(kept);
            if (o.pair.window == 399) { /* a window of all */
                o.pair.window = 0;
                o.copies = 1;
                assert_ok(run(&o, NULL, &err), &err);
                assert_true(file_is("out", near, n));
            }
            free(near);
        }
}

static void documents_of_no_tokens_make_no_samples(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    static const char *const texts[] = { "", "[]\n\n[[]]\n" };
    for (size_t i = 0; i < 2; i++)
        for (size_t kind = 0; kind < 4; kind++) {
            struct tsl_maskjob_opts o = job(kind, 1);
            struct tsl_maskjob_stats st;
            file_put_text("docs", texts[i]);
            assert_ok(run(&o, &st, &err), &err);
            assert_int_equal(st.samples, 0);
            assert_true(file_exists("out"));
        }
}

static void what_is_missing_is_told(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    jobdata_docs("docs", 3);
    struct tsl_maskjob_opts o = job(0, 1);
    o.special.sep = -1;
    assert_err(run(&o, NULL, &err), TSL_EUSAGE, &err, "no [CLS] or [SEP]");
    o = job(0, 0); /* also where samples are to be masked later */
    o.denoise.mlm.rate = 3;
    assert_err(run(&o, NULL, &err), TSL_EUSAGE, &err, "");
    o = job(0, 1);
    o.pair.tokens_max = 4;
    assert_err(run(&o, NULL, &err), TSL_EUSAGE, &err, "");
    o = job(2, 1);
    o.pack.tokens_max = 0;
    assert_err(run(&o, NULL, &err), TSL_EUSAGE, &err, "");
    o = job(0, 1);
    o.output = "none/out";
    assert_err(run(&o, NULL, &err), TSL_EIO, &err, "none/out");
    file_put_text("docs", "[[1, 2], [100]]\n"); /* beyond the vocabulary */
    o = job(0, 1);
    int rc = run(&o, NULL, &err);
    if (rc < 0)
        assert_err(rc, TSL_EFORMAT, &err, "docs");
    file_put_text("docs", "[[1, 2], [-1]]\n");
    assert_err(run(&o, NULL, &err), TSL_EFORMAT, &err, "docs");
    o.docs.vocab_size = 0;
    o.special.vocab_size = 0;
    file_put_text("docs", "[[1, 2], [3]]\n");
    assert_true(run(&o, NULL, &err) < 0);
    assert_false(file_exists("out"));
}

static int run_all(void *ctx, struct tsl_err *err)
{
    return run(ctx, NULL, err);
}

static void any_failure_is_told_and_leaves_the_output_as_it_was(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    jobdata_docs("docs", 12);
    fault_skip_syncs(true);
    for (size_t kind = 0; kind < NKINDS; kind++) {
        struct tsl_maskjob_opts o = job(kind, 1);
        file_put_text("out", "before");
        for (unsigned nth = 1;; nth = fault_next(nth)) {
            fault_arm(nth, "open mkostemp fstat read write preadv pwritev fsync linkat "
                           "rename");
            int rc = run(&o, NULL, &err);
            const char *call = fault_disarm();
            if (!call) {
                assert_ok(rc, &err);
                break;
            }
            if (rc == 0)
                fail_msg("kind %zu: failure %u, of %s, was not told", kind, nth, call);
            assert_int_equal(err.code, rc);
            err = (struct tsl_err){ 0 };
            /* a file that was replaced stays replaced where only the folder's sync failed */
            assert_true(file_is_text("out", "before") || strcmp(call, "fsync") == 0 ||
                        strcmp(call, "open") == 0);
            assert_int_equal(folder_count("."), 2);
            file_put_text("out", "before");
        }
        assert_false(file_is_text("out", "before"));
        fault_each_allocation(run_all, &o);
    }
    fault_skip_syncs(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(threads_and_memory_do_not_change_a_byte),
        TEST(statistics_are_those_of_the_records),
        TEST(copies_differ_and_the_first_is_that_of_one_copy),
        TEST(documents_that_pass_by_give_what_those_kept_give),
        TEST(documents_of_no_tokens_make_no_samples),
        TEST(what_is_missing_is_told),
        TEST(any_failure_is_told_and_leaves_the_output_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
