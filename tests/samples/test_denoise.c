#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "samples/denoise.h"
#include "support/fault.h"
#include "support/jobdata.h"

/* 20 tokens between two specials, half of them begin a word. */
static void make(struct tsl_sample *s, uint64_t address)
{
    struct gen g = { address };
    tsl_sample_clear(s, address);
    tsl_sample_add_special(s, 2);
    for (uint32_t i = 0; i < 20; i++) {
        uint32_t id = 10 + (uint32_t)gen_below(&g, 90);
        uint8_t start = (uint8_t)(i == 0 || gen_below(&g, 2));
        tsl_sample_add(s, &id, &start, 1);
    }
    tsl_sample_add_special(s, 3);
}

static bool same(const struct tsl_sample *a, const struct tsl_sample *b)
{
    return a->n == b->n && a->nmasked == b->nmasked && a->nouts == b->nouts &&
           a->kind == b->kind && a->prefix == b->prefix &&
           memcmp(a->ids, b->ids, a->n * sizeof *a->ids) == 0 &&
           (!a->nmasked ||
            (memcmp(a->places, b->places, a->nmasked * sizeof *a->places) == 0 &&
             memcmp(a->targets, b->targets, a->nmasked * sizeof *a->targets) == 0)) &&
           (!a->nouts || memcmp(a->outs, b->outs, a->nouts * sizeof *a->outs) == 0);
}

static void kinds_have_names_of_their_own(void **state)
{
    (void)state;
    for (int i = 0; i < TSL_NDENOISES; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(tsl_denoise_name((enum tsl_denoise_kind)i),
                                    tsl_denoise_name((enum tsl_denoise_kind)k));
    assert_string_equal(tsl_denoise_name(TSL_DENOISE_MLM), "mlm");
}

/* Each sample's own address and the epoch decide, not what came before. */
static void what_is_done_depends_on_seed_epoch_and_address_alone(void **state)
{
    (void)state;
    struct tsl_sample a, b, raw;
    struct tsl_err err = { 0 };
    assert_ok(tsl_sample_init(&a, 32, &err), &err);
    assert_ok(tsl_sample_init(&b, 32, &err), &err);
    assert_ok(tsl_sample_init(&raw, 32, &err), &err);
    for (int kind = 0; kind < TSL_NDENOISES; kind++) {
        struct tsl_denoise_opts o = jobdata_denoise((enum tsl_denoise_kind)kind);
        struct tsl_denoise *d, *again, *other;
        assert_ok(tsl_denoise_create(&d, &o, &err), &err);
        assert_ok(tsl_denoise_create(&again, &o, &err), &err);
        struct tsl_special_ids special = jobdata_special();
        tsl_denoise_key(&o, &special, 78);
        assert_ok(tsl_denoise_create(&other, &o, &err), &err);
        unsigned changed = 0, epochs = 0, seeds = 0;
        for (uint64_t i = 0; i < 50; i++) {
            make(&raw, i);
            make(&a, i);
            make(&b, 49 - i);
            tsl_denoise_apply(again, 3, &b, NULL); /* another one in between */
            tsl_denoise_apply(d, 3, &a, NULL);
            make(&b, i);
            tsl_denoise_apply(again, 3, &b, NULL);
            assert_true(same(&a, &b));
            changed += !same(&a, &raw);
            make(&b, i);
            tsl_denoise_apply(d, 4, &b, NULL);
            epochs += !same(&a, &b);
            make(&b, i);
            tsl_denoise_apply(other, 3, &b, NULL);
            seeds += !same(&a, &b);
            assert_true(a.n + a.nouts <= 64);
            bool stays = kind == TSL_DENOISE_MLM || kind == TSL_DENOISE_UNILM;
            for (uint32_t k = 0; stays && k < a.nmasked; k++)
                assert_true(a.places[k] < a.n && a.targets[k] >= 10);
        }
        if (kind == TSL_DENOISE_NONE)
            assert_int_equal(changed + epochs + seeds, 0);
        else if (changed < 30 || epochs < 30 || seeds < 30)
            fail_msg("%s: %u %u %u", tsl_denoise_name((enum tsl_denoise_kind)kind),
                     changed, epochs, seeds);
        tsl_denoise_destroy(d);
        tsl_denoise_destroy(again);
        tsl_denoise_destroy(other);
    }
    tsl_sample_fini(&a);
    tsl_sample_fini(&b);
    tsl_sample_fini(&raw);
}

static void objectives_that_move_tokens_drop_where_pieces_end(void **state)
{
    (void)state;
    struct tsl_sample s;
    struct tsl_err err = { 0 };
    assert_ok(tsl_sample_init(&s, 32, &err), &err);
    for (int kind = 0; kind < TSL_NDENOISES; kind++) {
        struct tsl_denoise_opts o = jobdata_denoise((enum tsl_denoise_kind)kind);
        struct tsl_denoise *d;
        assert_ok(tsl_denoise_create(&d, &o, &err), &err);
        make(&s, 1);
        s.ends[s.nends++] = s.n;
        tsl_denoise_apply(d, 0, &s, NULL);
        bool moves = kind == TSL_DENOISE_SPAN || kind == TSL_DENOISE_PLM ||
                     kind == TSL_DENOISE_MAE;
        assert_int_equal(s.nends, moves ? 0 : 1);
        tsl_denoise_destroy(d);
    }
    tsl_sample_fini(&s);
}

static void statistics_add_up(void **state)
{
    (void)state;
    struct tsl_sample s;
    struct tsl_err err = { 0 };
    assert_ok(tsl_sample_init(&s, 32, &err), &err);
    for (int kind = 0; kind < TSL_NDENOISES; kind++) {
        struct tsl_denoise_opts o = jobdata_denoise((enum tsl_denoise_kind)kind);
        struct tsl_denoise_stats one = { .span.samples = 0 },
                                 parts[2] = { { .mlm = { 0 } } }, sum = { .mlm = { 0 } };
        struct tsl_denoise *d;
        uint64_t masked = 0;
        assert_ok(tsl_denoise_create(&d, &o, &err), &err);
        for (uint64_t i = 0; i < 20; i++) {
            make(&s, i);
            tsl_denoise_apply(d, 0, &s, &one);
            masked += s.nmasked;
            make(&s, i);
            tsl_denoise_apply(d, 0, &s, &parts[i % 2]);
        }
        tsl_denoise_stats_add(&sum, &parts[0]);
        tsl_denoise_stats_add(&sum, &parts[1]);
        assert_memory_equal(&sum, &one, sizeof sum);
        if (kind == TSL_DENOISE_MLM)
            assert_true(sum.mlm.got == masked && sum.mlm.samples == 20);
        if (kind == TSL_DENOISE_SPAN)
            assert_true(sum.span.samples == 20 && sum.span.spans >= 20);
        tsl_denoise_destroy(d);
    }
    tsl_sample_fini(&s);
}

static void settings_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct tsl_denoise *d;
    struct tsl_err err = { 0 };
    for (int kind = 1; kind < TSL_NDENOISES; kind++) {
        struct tsl_denoise_opts o = jobdata_denoise((enum tsl_denoise_kind)kind);
        o.mlm.rate = 2;
        o.span.ndenoisers = 0;
        for (int i = 0; i < 4; i++)
            o.unilm.weights[i] = -1;
        assert_err(tsl_denoise_create(&d, &o, &err), TSL_EUSAGE, &err, "");
    }
    /* the second of two parts */
    struct tsl_denoise_opts o = jobdata_denoise(TSL_DENOISE_UNILM);
    o.mlm.rate = -1;
    assert_err(tsl_denoise_create(&d, &o, &err), TSL_EUSAGE, &err, "");
    tsl_denoise_destroy(NULL);
}

static int create_one(void *ctx, struct tsl_err *err)
{
    struct tsl_denoise *d;
    int rc = tsl_denoise_create(&d, ctx, err);
    if (rc == 0)
        tsl_denoise_destroy(d);
    return rc;
}

static void any_allocation_that_fails_is_told(void **state)
{
    (void)state;
    for (int kind = 0; kind < TSL_NDENOISES; kind++) {
        struct tsl_denoise_opts o = jobdata_denoise((enum tsl_denoise_kind)kind);
        fault_each_allocation(create_one, &o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(kinds_have_names_of_their_own),
        TEST(what_is_done_depends_on_seed_epoch_and_address_alone),
        TEST(objectives_that_move_tokens_drop_where_pieces_end),
        TEST(statistics_add_up),
        TEST(settings_that_make_no_sense_are_refused),
        TEST(any_allocation_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
