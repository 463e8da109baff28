#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "support/gendata.h"
#include "text/splitscan.h"

static const enum tsl_splitpat patterns[] = {
    TSL_SPLITPAT_GPT2,  TSL_SPLITPAT_CL100K, TSL_SPLITPAT_CL100K_T,
    TSL_SPLITPAT_QWEN2, TSL_SPLITPAT_O200K,  TSL_SPLITPAT_TEKKEN
};
enum { NPATTERNS = sizeof patterns / sizeof *patterns };

static const enum tsl_splitscan_isa isas[] = { TSL_SPLITSCAN_PLAIN, TSL_SPLITSCAN_AVX2,
                                               TSL_SPLITSCAN_AVX512 };

/* What patterns treat in a way of its own, in pieces that are put together. */
static const char *const atoms[] = {
    "a",
    "B",
    "the",
    "I",
    "s",
    "S",
    "'",
    "'s",
    "'S",
    "'ll",
    "'Ve",
    "'re",
    "'\xc5\xbf",
    "\xc5\xbf",
    "1",
    "23",
    "4567",
    " ",
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "\n\n",
    ".",
    "...",
    "-",
    "/",
    "//",
    "(",
    "_",
    "\v",
    "\x1c",
    "\x7f",
    "\xc2\x85",
    "\xc2\xa0",
    "\xe3\x80\x80",
    "\xe2\x80\xa8",
    "\xc3\xa9",
    "\xc3\x89",
    "\xc7\x85",
    "\xca\xb0",
    "\xcc\x81",
    "\xe4\xb8\xad",
    "\xe6\x96\x87",
    "\xef\xbc\x8c",
    "\xe3\x80\x82",
    "\xd9\xa3",
    "\xe2\x85\xa7",
    "\xf0\x9f\x98\x80",
    "\xf0\x9d\x90\x80",
    "\xf0\xa0\x80\x80",
    "\xff",
    "\xe4\xb8",
    "\xed\xa0\x80",
    "\xc0\x80",
    "some rather ordinary words that go on for a while, "
};
enum { NATOMS = sizeof atoms / sizeof *atoms };

static size_t gen_torture(struct gen *g, uint8_t *p, size_t cap)
{
    size_t n = 0, few = gen_below(g, 3) ? NATOMS : 1 + gen_below(g, 4);
    size_t from = gen_below(g, NATOMS);
    for (size_t k = gen_below(g, 60); k > 0; k--) {
        const char *a = atoms[(from + gen_below(g, few)) % NATOMS];
        if (strlen(a) > cap - n)
            break;
        memcpy(p + n, a, strlen(a));
        n += strlen(a);
    }
    return n;
}

/* The ends of all pieces, as the plain form has them. */
static size_t plain_ends(enum tsl_splitpat pattern, struct tsl_slice t, uint32_t *ends)
{
    size_t n = 0;
    bool matched;
    for (size_t at = 0; at < t.len; n++) {
        at += tsl_splitpat_next(pattern, t.data + at, t.len - at, &matched);
        ends[n] = (uint32_t)at;
    }
    return n;
}

/* The same with the fast form, as far as they are certain. */
static size_t fast_ends(const struct tsl_splitscan *s, struct tsl_slice t, bool last,
                        uint32_t *ends, size_t *used)
{
    uint32_t some[2 * TSL_SPLITSCAN_WINDOW];
    size_t n = 0, at = 0;
    while (at < t.len) {
        size_t k = tsl_splitscan_ascii(s, t, at, last, some, 2 * TSL_SPLITSCAN_WINDOW);
        if (k > 0) {
            memcpy(ends + n, some, k * sizeof *ends);
            n += k;
            assert_true(some[k - 1] > at && some[k - 1] <= t.len);
            at = some[k - 1];
            continue;
        }
        int64_t end = tsl_splitscan_next(s, t, at, last);
        if (end == TSL_SPLITSCAN_MORE)
            break;
        assert_true(end > (int64_t)at && end <= (int64_t)t.len);
        at = (size_t)end;
        ends[n++] = (uint32_t)at;
    }
    *used = at;
    return n;
}

static void both_forms_cut_alike(void **state)
{
    (void)state;
    struct gen g = { 11 };
    struct tsl_err err = { 0 };
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < NPATTERNS; k++) {
            struct tsl_splitscan s;
            if (tsl_splitscan_init(&s, patterns[k], true, NULL, isas[i], &err) < 0) {
                assert_err(err.code, TSL_EUSAGE, &err, "lacks");
                continue;
            }
            for (unsigned round = 0; round < 4000; round++) {
                uint8_t text[2000];
                uint32_t want[2000], got[2000];
                size_t used, len = gen_torture(&g, text, sizeof text);
                uint8_t *exact = malloc(len); /* so that one byte too many is seen */
                if (len)
                    memcpy(exact, text, len);
                struct tsl_slice t = { exact, len };
                size_t n = plain_ends(patterns[k], t, want);
                assert_int_equal(fast_ends(&s, t, true, got, &used), n);
                assert_int_equal(used, len);
                assert_memory_equal(got, want, n * sizeof *got);
                free(exact);
            }
            tsl_splitscan_fini(&s);
        }
}

/* The pieces of a beginning of a text are pieces of the text, whatever follows. */
static void what_is_given_early_is_never_wrong(void **state)
{
    (void)state;
    struct gen g = { 12 };
    struct tsl_err err = { 0 };
    for (size_t k = 0; k < NPATTERNS; k++) {
        struct tsl_splitscan s;
        assert_ok(
            tsl_splitscan_init(&s, patterns[k], true, NULL, TSL_SPLITSCAN_BEST, &err),
            &err);
        for (unsigned round = 0; round < 4000; round++) {
            uint8_t text[2000];
            uint32_t want[2000], got[2000];
            size_t used, len = gen_torture(&g, text, sizeof text);
            struct tsl_slice t = { text, len };
            size_t n = plain_ends(patterns[k], t, want);
            t.len = gen_below(&g, len + 1);
            uint8_t *exact = malloc(t.len);
            if (t.len)
                memcpy(exact, text, t.len);
            t.data = exact;
            size_t some = fast_ends(&s, t, false, got, &used);
            assert_true(some <= n);
            assert_memory_equal(got, want, some * sizeof *got);
            free(exact);
        }
        tsl_splitscan_fini(&s);
    }
}

static bool is_accent(uint32_t cp)
{
    return cp == 0x301;
}

static void a_scan_stops_in_front_of_what_is_odd(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_splitscan s;
    static const char text[] = "see cafe\xcc\x81 and\xff";
    struct tsl_slice t = { (const uint8_t *)text, sizeof text - 1 };
    uint32_t ends[TSL_SPLITSCAN_WINDOW];
    assert_ok(tsl_splitscan_init(&s, TSL_SPLITPAT_GPT2, false, is_accent,
                                 TSL_SPLITSCAN_BEST, &err),
              &err);
    assert_int_equal(tsl_splitscan_ascii(&s, t, 0, true, ends, TSL_SPLITSCAN_WINDOW), 1);
    assert_int_equal(ends[0], 3);
    /* "cafe" ends there, but its last letter has an accent. */
    assert_int_equal(tsl_splitscan_next(&s, t, 3, true), TSL_SPLITSCAN_MET_ODD);
    assert_int_equal(tsl_splitscan_next(&s, t, 10, true), TSL_SPLITSCAN_MET_ODD);
    t.len--;
    assert_int_equal(tsl_splitscan_next(&s, t, 10, true), 14);
    assert_int_equal(tsl_splitscan_next(&s, t, 10, false), TSL_SPLITSCAN_MORE);
    tsl_splitscan_fini(&s);
}

static void without_a_pattern_a_text_is_one_piece(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_splitscan s;
    struct tsl_slice t = { (const uint8_t *)"a b\n\nc", 6 };
    assert_ok(tsl_splitscan_init(&s, TSL_SPLITPAT_UNKNOWN, false, NULL,
                                 TSL_SPLITSCAN_BEST, &err),
              &err);
    assert_int_equal(tsl_splitscan_next(&s, t, 0, true), 6);
    assert_int_equal(tsl_splitscan_next(&s, t, 0, false), TSL_SPLITSCAN_MORE);
    tsl_splitscan_fini(&s);
}

static void a_pattern_without_fast_form_is_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_splitscan s;
    assert_err(tsl_splitscan_init(&s, TSL_SPLITPAT_DEEPSEEK, false, NULL,
                                  TSL_SPLITSCAN_BEST, &err),
               TSL_EUSAGE, &err, "no fast form");
    tsl_splitscan_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_forms_cut_alike),
        TEST(what_is_given_early_is_never_wrong),
        TEST(a_scan_stops_in_front_of_what_is_odd),
        TEST(without_a_pattern_a_text_is_one_piece),
        TEST(a_pattern_without_fast_form_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
