#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/fault.h"
#include "support/randtext.h"
#include "text/jsonnum.h"

static double value(const char *s)
{
    return tsl_jsonnum_value(str(s));
}

/* Read by PyPI's tokenizers 0.23.2 as scores, and written by it. */
static void numbers_are_those_of_serde_json(void **state)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = { { "-8.586651383897218", -8.586651383897218 },
                  { "-9.680698403904067", -9.680698403904069 }, /* 2^53 is passed */
                  { "-3.4635426998138428", -3.4635426998138428 },
                  { "-14.566967687034728", -14.566967687034728 },
                  { "0.1", 0.1 },
                  { "-0.0", -0.0 },
                  { "12", 12 },
                  { "1e3", 1000 },
                  { "1.5E-3", 0.0015 },
                  { "123456789012345678901234567890", 123456789012345678901234567890. },
                  { "0.00000000000000000000000000001234", 1.234e-29 },
                  { "1e-400", 0 },
                  { "-2.5e-310", -2.5e-310 } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (value(cases[i].text) != cases[i].value)
            fail_msg("%s: %.17g, not %.17g", cases[i].text, value(cases[i].text),
                     cases[i].value);
    assert_true(value("1e400") > 1e308);
}

static void short_numbers_are_the_nearest_double(void **state)
{
    char text[32];
    (void)state;
    for (int i = 0; i < 100000; i++) {
        int places = snprintf(text, sizeof text, "%d.%07d", i % 977, i * 83) - 8;
        assert_true(value(text) == strtod(text, NULL));
        assert_true(places > 0);
    }
}

static void assert_spells(const char *text, const char *want)
{
    struct tsl_err err = { 0 };
    struct tsl_slice s = str(text);
    uint8_t *made;
    assert_ok(tsl_jsonnum_spell(&s, &made, &err), &err);
    assert_true((made == NULL) == (want == NULL));
    if (want) {
        assert_int_equal(s.len, strlen(want));
        assert_memory_equal(s.data, want, s.len);
    }
    tsl_mem_free(made);
}

static void only_numbers_that_change_are_spelled_anew(void **state)
{
    (void)state;
    assert_spells(
        "[1.5, -9.680698403904067,\"9.680698403904067\\\"9.680698403904067\", 3]",
        "[1.5, -9.680698403904069,\"9.680698403904067\\\"9.680698403904067\", 3]");
    assert_spells("9.680698403904067", "9.680698403904069");
    assert_spells("[1.5, 12345678901234567890123, \"a\"]", NULL);
    assert_spells("", NULL);
    /* no JSON: left to the parser */
    assert_spells("9.680698403904067.5", NULL);
    assert_spells("\"9.680698403904067", NULL);
    assert_spells("\"\\", NULL);
    assert_spells("1e999", NULL);
    assert_spells("-", NULL);
}

static void any_failed_allocation_is_reported(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        struct tsl_slice s = str("[9.680698403904067]");
        uint8_t *made;
        fault_arm(nth, NULL);
        int rc = tsl_jsonnum_spell(&s, &made, &err);
        if (!fault_disarm()) {
            assert_ok(rc, &err);
            tsl_mem_free(made);
            break;
        }
        assert_int_equal(rc, TSL_ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_are_those_of_serde_json),
        TEST(short_numbers_are_the_nearest_double),
        TEST(only_numbers_that_change_are_spelled_anew),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
