#include "support/test.h"

#include <string.h>

#include "prep/compat_bert.h"
#include "support/memdocs.h"

static struct tsl_compat_pair_opts opts(void)
{
    struct tsl_compat_pair_opts o = tsl_compat_bert_defaults();
    o.special = (struct tsl_special_ids){ .pad = 0,
                                          .unk = 5,
                                          .cls = 1,
                                          .sep = 2,
                                          .mask = 3,
                                          .bos = -1,
                                          .eos = -1,
                                          .vocab_size = 900 };
    o.tokens_max = 40;
    return o;
}

static void options_that_the_script_would_fail_with_are_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_compat_pair *c;
    struct memdocs m;
    memdocs_init(&m);
    struct tsl_compat_pair_opts o = opts();
    o.tokens_max = 4;
    assert_err(tsl_compat_bert_create(&c, &o, &m.docs, &err), TSL_EUSAGE, &err,
               "length of 4");
    o = opts();
    o.special.mask = -1;
    assert_err(tsl_compat_bert_create(&c, &o, &m.docs, &err), TSL_EUSAGE, &err, "[MASK]");
    o = opts();
    o.special.vocab_size = 0;
    assert_err(tsl_compat_bert_create(&c, &o, &m.docs, &err), TSL_EUSAGE, &err, "empty");
}

static void no_documents_give_no_instances(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_compat_pair *c;
    struct memdocs m;
    struct tsl_compat_pair_opts o = opts();
    memdocs_init(&m);
    assert_ok(tsl_compat_bert_create(&c, &o, &m.docs, &err), &err);
    assert_int_equal(tsl_compat_pair_count(c), 0);
    tsl_compat_pair_destroy(c);
    memdocs_begin(&m);
    memdocs_begin(&m);
    assert_ok(tsl_compat_bert_create(&c, &o, &m.docs, &err), &err);
    assert_int_equal(tsl_compat_pair_count(c), 0);
    tsl_compat_pair_destroy(c);
    memdocs_fini(&m);
}

/* Empty documents vanish before anything is drawn. */
static void empty_documents_change_nothing(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct memdocs m[2];
    struct tsl_compat_pair *c[2];
    struct tsl_sample s[2];
    struct tsl_compat_pair_opts o = opts();
    for (unsigned i = 0; i < 2; i++) {
        uint32_t ids[30];
        uint8_t starts[30];
        memdocs_init(&m[i]);
        for (unsigned d = 0; d < 20; d++) {
            memdocs_begin(&m[i]);
            if (i && d % 3 == 0)
                memdocs_begin(&m[i]);
            for (unsigned k = 0; k < 30; k++) {
                ids[k] = 10 + (d * 31 + k * 7) % 800;
                starts[k] = k % 4 != 3;
            }
            for (unsigned k = 0; k < d; k++)
                memdocs_sentence(&m[i], ids, starts, 1 + (d + k) % 30);
        }
        assert_ok(tsl_compat_bert_create(&c[i], &o, &m[i].docs, &err), &err);
        assert_ok(tsl_sample_init(&s[i], 40, &err), &err);
    }
    uint64_t n = tsl_compat_pair_count(c[0]);
    assert_true(n > 100 && n == tsl_compat_pair_count(c[1]));
    assert_true(tsl_compat_pair_bytes(c[0]) > n * 16);
    for (uint64_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < 2; k++)
            assert_ok(tsl_compat_pair_at(c[k], i, &m[k].docs, &s[k], &err), &err);
        assert_true(s[0].n == s[1].n && s[0].label == s[1].label);
        assert_memory_equal(s[0].ids, s[1].ids, s[0].n * sizeof *s[0].ids);
    }
    for (unsigned i = 0; i < 2; i++) {
        tsl_compat_pair_destroy(c[i]);
        tsl_sample_fini(&s[i]);
        memdocs_fini(&m[i]);
    }
}

static int get_nothing(void *ctx, uint64_t number, unsigned slot, struct tsl_doc *d,
                       struct tsl_err *err)
{
    (void)ctx, (void)slot, (void)d;
    return tsl_err_set(err, TSL_EIO, "document %d is gone", (int)number);
}

static void documents_that_cannot_be_read_stop_it(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_compat_pair *c;
    struct tsl_compat_pair_opts o = opts();
    struct tsl_docs docs = { .ndocs = 7, .get = get_nothing };
    assert_err(tsl_compat_bert_create(&c, &o, &docs, &err), TSL_EIO, &err, "is gone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(options_that_the_script_would_fail_with_are_refused),
        TEST(no_documents_give_no_instances),
        TEST(empty_documents_change_nothing),
        TEST(documents_that_cannot_be_read_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
