#include "support/test.h"

#include "prep/sample.h"

static void samples_begin_empty_and_keep_their_room(void **state)
{
    (void)state;
    static const uint32_t ids[] = { 7, 8, 9 };
    static const uint8_t starts[] = { 1, 0, 1 };
    struct tsl_err err = { 0 };
    struct tsl_sample s;
    assert_ok(tsl_sample_init(&s, 5, &err), &err);
    assert_true(s.cap == 5 && s.n == 0 && s.label == TSL_SAMPLE_NO_LABEL);
    tsl_sample_add_special(&s, 1);
    tsl_sample_add(&s, ids, starts, 3);
    s.label = 1;
    s.nmasked = s.nends = s.nouts = s.prefix = 2;
    s.has_positions = true;
    assert_true(s.n == 4 && s.ids[3] == 9 && s.starts[0] == 1 && s.starts[2] == 0);
    tsl_sample_clear(&s, 77);
    assert_true(s.address == 77 && s.n == 0 && s.nmasked == 0 && s.nends == 0 &&
                s.nouts == 0 && s.prefix == 0 && !s.has_positions);
    assert_true(s.label == TSL_SAMPLE_NO_LABEL && s.kind == TSL_SAMPLE_BOTH_WAYS);
    tsl_sample_fini(&s);
    assert_null(s.ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(samples_begin_empty_and_keep_their_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
