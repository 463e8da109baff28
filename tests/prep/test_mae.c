#include "support/test.h"

#include "prep/mae.h"
#include "support/chisquare.h"

enum { N = 40 };

static void what_is_dropped_and_what_is_kept_make_the_sample(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_mae *m;
    struct tsl_sample s;
    uint64_t dropped[N - 2] = { 0 };
    struct tsl_mlm_stats t = { 0 };
    struct tsl_mlm_opts o = tsl_mlm_defaults();
    o.special = (struct tsl_special_ids){ .pad = 0,
                                          .unk = -1,
                                          .cls = 1,
                                          .sep = 2,
                                          .mask = -1,
                                          .bos = -1,
                                          .eos = -1,
                                          .vocab_size = 500 };
    assert_ok(tsl_mae_create(&m, &o, &err), &err);
    assert_ok(tsl_sample_init(&s, N, &err), &err);
    for (uint64_t i = 0; i < 10000; i++) {
        tsl_sample_clear(&s, i);
        tsl_sample_add_special(&s, 1);
        while (s.n < N - 1)
            tsl_sample_add_special(&s, 100 + s.n);
        tsl_sample_add_special(&s, 2);
        s.first = 20;
        tsl_mae_apply(m, 0, &s, &t);
        assert_true(s.has_positions && s.n == N - 6 && s.nmasked == 6);
        assert_true(s.ids[0] == 1 && s.ids[s.n - 1] == 2);
        uint32_t k = 0, j = 0;
        for (uint32_t place = 0; place < N; place++) {
            uint32_t id = place == 0 ? 1 : place == N - 1 ? 2 : 100 + place;
            if (k < s.nmasked && s.places[k] == place) {
                assert_int_equal(s.targets[k++], id);
                dropped[place - 1]++;
            } else {
                assert_int_equal(s.positions[j], place);
                assert_int_equal(s.ids[j], id);
                assert_true((place < 20) == (j < s.first));
                j++;
            }
        }
    }
    assert_true(chisquare_uniform(dropped, N - 2) < 4);
    tsl_sample_fini(&s);
    tsl_mae_destroy(m);
}

static void rates_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_mae *m;
    struct tsl_mlm_opts o = tsl_mlm_defaults();
    o.rate = 2;
    assert_err(tsl_mae_create(&m, &o, &err), TSL_EUSAGE, &err, "rate of 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_dropped_and_what_is_kept_make_the_sample),
        TEST(rates_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
