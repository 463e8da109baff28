#include "support/test.h"

#include "train/datamix.h"

enum { SETS = 7 };
static const uint64_t weights[SETS] = { 3, 1, 40, 0, 7, 7, 13 };
enum { SUM = 3 + 1 + 40 + 7 + 7 + 13 };

static void every_set_has_its_exact_share_of_every_round(void **state)
{
    struct tsl_datamix m;
    uint64_t turn;
    (void)state;
    assert_ok(tsl_datamix_init(&m, weights, SETS, NULL), NULL);
    for (uint64_t round = 0; round < 20; round++) {
        uint64_t had[SETS] = { 0 };
        for (uint64_t p = round * SUM; p < (round + 1) * SUM; p++)
            had[tsl_datamix_at(&m, p, &turn)]++;
        assert_memory_equal(had, weights, sizeof had);
    }
    tsl_datamix_fini(&m);
}

static void turns_count_up_and_no_set_falls_behind(void **state)
{
    struct tsl_datamix m;
    uint64_t had[SETS] = { 0 }, turn;
    (void)state;
    assert_ok(tsl_datamix_init(&m, weights, SETS, NULL), NULL);
    for (uint64_t p = 0; p < 10 * SUM; p++) {
        size_t k = tsl_datamix_at(&m, p, &turn);
        assert_true(k < SETS);
        assert_int_equal(turn, had[k]++);
        for (size_t i = 0; i < SETS; i++) {
            double off = (double)had[i] - (double)(p + 1) * (double)weights[i] / SUM;
            assert_true(off > -3 && off < 3); /* as many levels as the tree has */
        }
    }
    tsl_datamix_fini(&m);
}

static void equal_sets_take_turns(void **state)
{
    static const uint64_t same[4] = { 5, 5, 5, 5 };
    struct tsl_datamix m;
    uint64_t turn;
    (void)state;
    assert_ok(tsl_datamix_init(&m, same, 4, NULL), NULL);
    for (uint64_t p = 0; p < 400; p += 4) {
        unsigned had = 0;
        for (uint64_t i = 0; i < 4; i++)
            had |= 1u << tsl_datamix_at(&m, p + i, &turn);
        assert_int_equal(had, 15);
    }
    tsl_datamix_fini(&m);
}

static void far_positions_are_found_as_near_ones(void **state)
{
    struct tsl_datamix m;
    uint64_t far = UINT64_C(1) << 62, turn, there, begin[SETS];
    (void)state;
    far -= far % SUM;
    assert_ok(tsl_datamix_init(&m, weights, SETS, NULL), NULL);
    for (size_t i = 0; i < SETS; i++)
        begin[i] = far / SUM * weights[i];
    for (uint64_t p = 0; p < 3 * SUM; p++) {
        size_t k = tsl_datamix_at(&m, p, &turn);
        assert_int_equal(tsl_datamix_at(&m, far + p, &there), k);
        assert_true(there == begin[k] + turn);
    }
    tsl_datamix_fini(&m);
}

static void weights_that_make_no_sense_are_refused(void **state)
{
    static const uint64_t none[2] = { 0, 0 }, large[2] = { INT64_MAX, 1 };
    struct tsl_datamix m;
    struct tsl_err err = { 0 };
    (void)state;
    assert_err(tsl_datamix_init(&m, none, 2, &err), TSL_EUSAGE, &err, "has a weight");
    assert_err(tsl_datamix_init(&m, large, 2, &err), TSL_EUSAGE, &err, "too large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_set_has_its_exact_share_of_every_round),
        TEST(turns_count_up_and_no_set_falls_behind),
        TEST(equal_sets_take_turns),
        TEST(far_positions_are_found_as_near_ones),
        TEST(weights_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
