#include "support/test.h"

#include "prep/twoseg.h"
#include "support/memdocs.h"

enum { CLS = 1, SEP = 2, LEN = 40 };

static struct tsl_twoseg_opts opts(void)
{
    struct tsl_twoseg_opts o = tsl_twoseg_defaults();
    o.special = (struct tsl_special_ids){ .pad = 0,
                                          .unk = -1,
                                          .cls = CLS,
                                          .sep = SEP,
                                          .mask = 3,
                                          .bos = -1,
                                          .eos = -1,
                                          .vocab_size = 1u << 31 };
    o.tokens_max = LEN;
    return o;
}

static void samples_cover_a_document_without_a_gap(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct memdocs m;
    struct tsl_sample s;
    struct tsl_twoseg p;
    uint64_t nsamples = 0, singles = 0, tokens = 0;
    struct tsl_twoseg_opts o = opts();
    memdocs_init(&m);
    memdocs_make(&m, 3, 200, 20, 60, 10, 5000);
    memdocs_begin(&m);
    assert_ok(tsl_twoseg_init(&p, &o, &err), &err);
    assert_ok(tsl_sample_init(&s, LEN, &err), &err);
    for (uint64_t d = 0; d < m.ndocs; d++) {
        struct tsl_doc doc = { 0 };
        struct tsl_twoseg_walk w;
        struct tsl_twoseg_plan plan;
        uint32_t at = 0;
        memdocs_get(&m, d, 0, &doc, NULL);
        tsl_twoseg_begin(&w, &p, 1, d, &doc);
        while (tsl_twoseg_next(&w, &plan)) {
            assert_int_equal(plan.at, at);
            assert_true(plan.a_len > 0);
            at += plan.a_len + plan.b_len;
            assert_true(at == doc.ntokens || doc.starts[at]);
            assert_ok(tsl_twoseg_build(&p, &plan, 0, &doc, &s, &err), &err);
            assert_true(s.n <= LEN && s.ids[0] == CLS && s.ids[s.n - 1] == SEP);
            assert_true(s.label == TSL_SAMPLE_NO_LABEL);
            assert_int_equal(s.n, plan.a_len + plan.b_len + 2 + (plan.b_len > 0));
            assert_int_equal(s.first, plan.a_len + 2);
            singles += s.first == s.n;
            tokens += s.n;
            nsamples++;
        }
        assert_int_equal(at, doc.ntokens);
    }
    assert_true(singles > nsamples / 12 && singles < nsamples / 2);
    assert_true(tokens > nsamples * LEN * 8 / 10);
    tsl_sample_fini(&s);
    memdocs_fini(&m);
}

static void words_longer_than_a_sample_are_cut(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_twoseg p;
    struct tsl_twoseg_walk w;
    struct tsl_twoseg_plan plan;
    struct tsl_twoseg_opts o = opts();
    uint32_t ids[200] = { 0 }, sent = 200, n = 0, tokens = 0;
    uint8_t starts[200] = { 1 };
    struct tsl_doc doc = { ids, starts, &sent, 1, 200 };
    assert_ok(tsl_twoseg_init(&p, &o, &err), &err);
    tsl_twoseg_begin(&w, &p, 1, 0, &doc);
    for (; tsl_twoseg_next(&w, &plan); n++)
        tokens += plan.a_len + plan.b_len;
    assert_true(tokens == 200 && n >= 6 && n <= 8);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_twoseg p;
    struct tsl_twoseg_opts o = opts();
    o.tokens_max = 4;
    assert_err(tsl_twoseg_init(&p, &o, &err), TSL_EUSAGE, &err, "length of 4");
    o = opts();
    o.special.cls = -1;
    assert_err(tsl_twoseg_init(&p, &o, &err), TSL_EUSAGE, &err, "[CLS]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(samples_cover_a_document_without_a_gap),
        TEST(words_longer_than_a_sample_are_cut),
        TEST(options_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
