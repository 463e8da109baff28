#include "support/test.h"

#include <string.h>

#include "prep/unilm.h"
#include "support/chisquare.h"

enum { N = 12, SEP = 102 };

static void fill(struct tsl_sample *s, uint64_t address, uint32_t n)
{
    tsl_sample_clear(s, address);
    for (uint32_t i = 0; i < n; i++) {
        s->ids[i] = 200 + i;
        s->starts[i] = 1;
    }
    s->n = s->first = n;
}

static void kinds_are_mixed_by_weight_and_prefixes_are_uniform(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_unilm u;
    struct tsl_sample s;
    struct tsl_unilm_opts o = tsl_unilm_defaults();
    uint64_t kinds[4] = { 0 }, prefixes[N - 1] = { 0 };
    const double want[] = { 20000, 10000, 10000, 20000 };
    assert_ok(tsl_unilm_init(&u, &o, &err), &err);
    assert_ok(tsl_sample_init(&s, N, &err), &err);
    for (uint64_t i = 0; i < 60000; i++) {
        fill(&s, i, N);
        tsl_unilm_apply(&u, 2, &s);
        kinds[s.kind]++;
        if (s.kind == TSL_SAMPLE_PREFIX)
            prefixes[s.prefix - 1]++;
    }
    assert_true(chisquare_sigmas(kinds, want, 4) < 4);
    assert_true(chisquare_uniform(prefixes, N - 1) < 4);
    tsl_sample_fini(&s);
}

/* The example in the notes on bert4keras: [CLS] 11 12 13 21 22 [SEP] and padding, which is
 * no part of a sample here. */
static void a_separator_is_put_in_as_by_bert4keras(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_unilm u;
    struct tsl_sample s;
    struct tsl_unilm_opts o = tsl_unilm_bert4keras(SEP, N);
    uint64_t seen[N] = { 0 };
    assert_ok(tsl_unilm_init(&u, &o, &err), &err);
    assert_ok(tsl_sample_init(&s, N, &err), &err);
    for (uint64_t i = 0; i < 20000; i++) {
        fill(&s, i, N);
        tsl_unilm_apply(&u, 0, &s);
        assert_true(s.kind == TSL_SAMPLE_PREFIX && s.n == N && s.first == s.prefix);
        assert_int_equal(s.ids[s.prefix - 1], SEP);
        for (uint32_t k = 0; k < N; k++)
            if (k != s.prefix - 1)
                assert_int_equal(s.ids[k], 200 + k - (k >= s.prefix));
        seen[s.prefix - 2]++;
    }
    assert_true(chisquare_uniform(seen, N - 2) < 4); /* 1 .. n - 2 tokens */
    assert_int_equal(seen[N - 2], 0);
    fill(&s, 0, 2);
    tsl_unilm_apply(&u, 0, &s);
    assert_int_equal(s.kind, TSL_SAMPLE_LEFT_TO_RIGHT);
    tsl_sample_fini(&s);
}

/* Rows of the matrices in the notes: what i sees of j. */
static void sight_is_what_the_matrices_say(void **state)
{
    (void)state;
    static const struct {
        enum tsl_sample_kind kind;
        uint32_t prefix;
        const char *rows[5];
    } want[] = {
        { TSL_SAMPLE_BOTH_WAYS, 0, { "11111", "11111", "11111", "11111", "11111" } },
        { TSL_SAMPLE_LEFT_TO_RIGHT, 0, { "10000", "11000", "11100", "11110", "11111" } },
        { TSL_SAMPLE_RIGHT_TO_LEFT, 0, { "11111", "01111", "00111", "00011", "00001" } },
        { TSL_SAMPLE_PREFIX, 3, { "11100", "11100", "11100", "11110", "11111" } },
    };
    struct tsl_err err = { 0 };
    struct tsl_sample s;
    assert_ok(tsl_sample_init(&s, 5, &err), &err);
    for (size_t w = 0; w < sizeof want / sizeof *want; w++) {
        fill(&s, 0, 5);
        s.kind = (uint8_t)want[w].kind;
        s.prefix = want[w].prefix;
        for (uint32_t i = 0; i < 5; i++)
            for (uint32_t j = 0; j < 5; j++)
                assert_int_equal(tsl_unilm_sees(&s, i, j), want[w].rows[i][j] == '1');
    }
    fill(&s, 0, 5);
    s.nends = 2;
    s.ends[0] = 2;
    s.ends[1] = 5;
    assert_true(tsl_unilm_sees(&s, 2, 4) && !tsl_unilm_sees(&s, 1, 2));
    tsl_sample_fini(&s);
}

static void weights_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_unilm u;
    struct tsl_unilm_opts o = { .separator = -1 };
    assert_err(tsl_unilm_init(&u, &o, &err), TSL_EUSAGE, &err, "weights");
    o.weights[1] = -1;
    assert_err(tsl_unilm_init(&u, &o, &err), TSL_EUSAGE, &err, "weights");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(kinds_are_mixed_by_weight_and_prefixes_are_uniform),
        TEST(a_separator_is_put_in_as_by_bert4keras),
        TEST(sight_is_what_the_matrices_say),
        TEST(weights_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
