#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "samples/maskmeta.h"
#include "support/fault.h"
#include "support/jobdata.h"

static struct tsl_maskmeta make(enum tsl_denoise_kind kind)
{
    struct tsl_maskmeta m = { .objective = "an \"objective\"",
                              .made_by = "a test",
                              .vocab_id = "\xc3\xa9",
                              .making = "{\n\"window\": 8192,\n\"lone\": \"split\",\n"
                                        "\"short_rate\": 0.1,\n\"cut_words\": true\n}",
                              .seed = UINT64_MAX,
                              .epoch = UINT32_MAX,
                              .copies = UINT32_MAX,
                              .tokens_max = 24,
                              .special = jobdata_special(),
                              .denoise = jobdata_denoise(kind) };
    tsl_mlm_weights_geometric(&m.denoise.mlm, .2, 10);
    m.denoise.mlm.rate = 0.1 + 0.2; /* all digits are needed */
    m.denoise.mlm.unit = TSL_MLM_SPANS;
    m.denoise.mlm.decide = TSL_MLM_EACH_RUN;
    tsl_denoise_key(&m.denoise, &m.special, m.seed);
    return m;
}

static void a_recipe_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (int kind = 0; kind < TSL_NDENOISES; kind++) {
        struct tsl_maskmeta m = make((enum tsl_denoise_kind)kind), got;
        struct tsl_err err = { 0 };
        char *text, *again;
        m.masked = kind % 2;
        assert_ok(tsl_maskmeta_write(&m, &text, &err), &err);
        assert_ok(tsl_maskmeta_read(&got, text, "x", &err), &err);
        assert_true(got.seed == m.seed && got.epoch == m.epoch && got.copies == m.copies);
        assert_int_equal(got.masked, m.masked);
        assert_int_equal(got.tokens_max, 24);
        assert_int_equal(got.special.eos, 6);
        assert_int_equal(got.denoise.kind, kind);
        assert_memory_equal(got.special.reserved, m.special.reserved, 13);
        if (kind == TSL_DENOISE_MLM) {
            assert_true(got.denoise.mlm.rate == m.denoise.mlm.rate);
            assert_true(got.denoise.mlm.seed == m.seed);
            assert_memory_equal(got.denoise.mlm.weights, m.denoise.mlm.weights,
                                sizeof(double) * m.denoise.mlm.nweights);
        }
        assert_string_equal(got.objective, m.objective);
        assert_string_equal(got.vocab_id, m.vocab_id);
        assert_string_equal(got.making, m.making);
        assert_ok(tsl_maskmeta_write(&got, &again, &err), &err);
        assert_string_equal(again, text);
        tsl_maskmeta_fini(&got);
        tsl_mem_free(text);
        tsl_mem_free(again);
    }
}

/* As a_recipe..., but of masks that a sample would get by it: to the last bit. */
static void what_is_read_masks_as_what_was_written(void **state)
{
    (void)state;
    struct tsl_sample a, b;
    struct tsl_err err = { 0 };
    assert_ok(tsl_sample_init(&a, 40, &err), &err);
    assert_ok(tsl_sample_init(&b, 40, &err), &err);
    for (int kind = 1; kind < TSL_NDENOISES; kind++) {
        struct tsl_maskmeta m = make((enum tsl_denoise_kind)kind), got;
        struct tsl_denoise *d[2];
        char *text;
        assert_ok(tsl_maskmeta_write(&m, &text, &err), &err);
        assert_ok(tsl_maskmeta_read(&got, text, "x", &err), &err);
        assert_ok(tsl_denoise_create(&d[0], &m.denoise, &err), &err);
        assert_ok(tsl_denoise_create(&d[1], &got.denoise, &err), &err);
        for (uint64_t i = 0; i < 100; i++) {
            struct tsl_sample *both[] = { &a, &b };
            for (int k = 0; k < 2; k++) {
                tsl_sample_clear(both[k], i);
                for (uint32_t t = 0; t < 24; t++) {
                    uint32_t id = 10 + (uint32_t)(i * 7 + t * 11) % 90;
                    uint8_t start = t % 3 != 1;
                    tsl_sample_add(both[k], &id, &start, 1);
                }
                tsl_denoise_apply(d[k], i, both[k], NULL);
            }
            assert_int_equal(a.n, b.n);
            assert_int_equal(a.nmasked, b.nmasked);
            assert_int_equal(a.nouts, b.nouts);
            assert_int_equal(a.kind, b.kind);
            assert_int_equal(a.prefix, b.prefix);
            assert_memory_equal(a.ids, b.ids, a.n * sizeof *a.ids);
            assert_memory_equal(a.places, b.places, a.nmasked * sizeof *a.places);
            assert_memory_equal(a.outs, b.outs, a.nouts * sizeof *a.outs);
        }
        tsl_denoise_destroy(d[0]);
        tsl_denoise_destroy(d[1]);
        tsl_maskmeta_fini(&got);
        tsl_mem_free(text);
    }
    tsl_sample_fini(&a);
    tsl_sample_fini(&b);
}

static void what_tells_no_recipe_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } cases[] = {
        { "\"seed\": \"18446744073709551615\"", "\"seed\": 7" },
        { "18446744073709551615", "18446744073709551616" },
        { "\"seed\"", "\"sead\"" },
        { "\"epoch\": 4294967295", "\"epoch\": -1" },
        { "\"copies\": 4294967295", "\"copies\": 4294967296" },
        { "\"vocab_size\": 100", "\"vocab_size\": 100000000" },
        { "\"vocab_size\": 100", "\"vocab_size\": 5" }, /* reserved beyond it */
        { "\"tokens_max\": 24", "\"tokens_max\": 99999999" },
        { "\"masked\": false", "\"masked\": 0" },
        { "\"denoise\": \"mlm\"", "\"denoise\": \"mml\"" },
        { "\"mask\": {", "\"musk\": {" },
        { "\"rate\": 0.3", "\"rate\": 1e3" },
        { "\"rate\": 0.3", "\"rate\": -0.3" },
        { "\"unit\": \"spans\"", "\"unit\": \"span\"" },
        { "\"decide\": \"run\"", "\"decide\": 1" },
        { "\"weights\": [", "\"weights\": [\"a\", " },
        { "\"reserved\": [", "\"reserved\": [7, " },
        { "\"reserved\": [", "\"reserved\": [[0, 4], [0, 4], " }, /* again and again */
    };
    struct tsl_maskmeta m = make(TSL_DENOISE_MLM), got;
    struct tsl_err err = { 0 };
    char *text;
    assert_ok(tsl_maskmeta_write(&m, &text, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *at = strstr(text, cases[i].from), *now;
        assert_non_null(at);
        now = malloc(strlen(text) + strlen(cases[i].to) + 1);
        memcpy(now, text, (size_t)(at - text));
        strcpy(now + (at - text), cases[i].to);
        strcat(now, at + strlen(cases[i].from));
        assert_err(tsl_maskmeta_read(&got, now, "x", &err), TSL_EFORMAT, &err, "x: ");
        free(now);
    }
    tsl_mem_free(text);
    static const char *const others[] = { "", "{}", "[]", "7", "{\"seed\":\"1\"}", "{" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_err(tsl_maskmeta_read(&got, others[i], "x", &err), TSL_EFORMAT, &err, "x");
}

static void cuts_and_changes_are_told_or_give_another_recipe(void **state)
{
    (void)state;
    for (int kind = 1; kind < TSL_NDENOISES; kind += 2) {
        struct tsl_maskmeta m = make((enum tsl_denoise_kind)kind), got;
        struct tsl_err err = { 0 };
        char *text;
        assert_ok(tsl_maskmeta_write(&m, &text, &err), &err);
        size_t n = strlen(text);
        for (size_t k = 0; k < 3 * n; k++) {
            char was = text[k / 3];
            text[k / 3] = k % 3 == 0 ? 0 : (char)(was ^ (k % 3 == 1 ? 1 : 0x10));
            int rc = tsl_maskmeta_read(&got, text, "x", &err);
            text[k / 3] = was;
            if (rc < 0) {
                assert_err(rc, TSL_EFORMAT, &err, "x");
                continue;
            }
            /* what was read can be made, or is refused */
            struct tsl_denoise *d;
            rc = tsl_denoise_create(&d, &got.denoise, &err);
            if (rc == 0)
                tsl_denoise_destroy(d);
            else
                assert_err(rc, TSL_EUSAGE, &err, "");
            tsl_maskmeta_fini(&got);
        }
        tsl_mem_free(text);
    }
}

static int both_ways(void *ctx, struct tsl_err *err)
{
    const struct tsl_maskmeta *m = ctx;
    struct tsl_maskmeta got;
    char *text;
    int rc = tsl_maskmeta_write(m, &text, err);
    if (rc < 0)
        return rc;
    rc = tsl_maskmeta_read(&got, text, "x", err);
    if (rc == 0)
        tsl_maskmeta_fini(&got);
    tsl_mem_free(text);
    return rc;
}

static void any_allocation_that_fails_is_told(void **state)
{
    (void)state;
    struct tsl_maskmeta m = make(TSL_DENOISE_UNILM);
    fault_each_allocation(both_ways, &m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_recipe_is_read_as_it_was_written),
        TEST(what_is_read_masks_as_what_was_written),
        TEST(what_tells_no_recipe_is_refused),
        TEST(cuts_and_changes_are_told_or_give_another_recipe),
        TEST(any_allocation_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
