#include "support/test.h"

#include "prep/plm.h"
#include "prep/unilm.h"
#include "support/chisquare.h"

enum { N = 24 };

static struct tsl_special_ids special(void)
{
    return (struct tsl_special_ids){ .pad = 0,
                                     .unk = -1,
                                     .cls = 1,
                                     .sep = 2,
                                     .mask = -1,
                                     .bos = -1,
                                     .eos = -1,
                                     .vocab_size = 500 };
}

static void fill(struct tsl_sample *s, uint64_t address)
{
    tsl_sample_clear(s, address);
    for (uint32_t i = 0; i < N; i++) {
        s->ids[i] = i == N - 1 ? 1 : 100 + i;
        s->starts[i] = i % 2 == 0 || i == N - 1;
    }
    s->n = s->first = N;
}

static void targets_stand_behind_the_context_with_their_positions(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_plm *p;
    struct tsl_sample s;
    struct tsl_special_ids ids = special();
    struct tsl_mlm_opts o = tsl_plm_xlnet(&ids);
    uint64_t order[2] = { 0 };
    assert_ok(tsl_plm_create(&p, &o, &err), &err);
    assert_ok(tsl_sample_init(&s, N, &err), &err);
    for (uint64_t i = 0; i < 5000; i++) {
        uint32_t seen = 0;
        fill(&s, i);
        tsl_plm_apply(p, 3, &s, NULL);
        assert_true(s.n == N && s.kind == TSL_SAMPLE_PREFIX && s.has_positions);
        assert_true(s.nmasked > 0 && s.nmasked <= 4 && s.prefix == N - s.nmasked);
        for (uint32_t k = 0; k < N; k++) {
            uint32_t at = s.positions[k];
            assert_true(at < N && !(seen >> at & 1));
            seen |= 1u << at;
            assert_int_equal(s.ids[k], at == N - 1 ? 1 : 100 + at);
            assert_int_equal(s.starts[k], at % 2 == 0 || at == N - 1);
            assert_true(k == 0 || k >= s.prefix || at > s.positions[k - 1]);
        }
        for (uint32_t k = 0; k < s.nmasked; k++) {
            assert_int_equal(s.places[k], s.prefix + k);
            assert_int_equal(s.targets[k], s.ids[s.prefix + k]);
        }
        if (s.nmasked > 1)
            order[s.positions[s.prefix] < s.positions[s.prefix + 1]]++;
    }
    assert_true(chisquare_uniform(order, 2) < 4);
    tsl_sample_fini(&s);
    tsl_plm_destroy(p);
}

/* XLNet's rule for its matrix: blocked where self[i] <= rev[j] and j is a target; rev is
 * a target's rank, -1 of others; self is rev + 1, of a target its rank (it must not see
 * itself). */
static void sight_is_that_of_xlnets_matrix(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_plm *p;
    struct tsl_sample s;
    struct tsl_special_ids ids = special();
    struct tsl_mlm_opts o = tsl_plm_xlnet(&ids);
    assert_ok(tsl_plm_create(&p, &o, &err), &err);
    assert_ok(tsl_sample_init(&s, N, &err), &err);
    for (uint64_t t = 0; t < 100; t++) {
        int rev[N], self[N];
        fill(&s, t);
        tsl_plm_apply(p, 0, &s, NULL);
        for (uint32_t k = 0; k < N; k++) {
            rev[k] = k < s.prefix ? -1 : (int)(k - s.prefix);
            self[k] = k < s.prefix ? rev[k] + 1 : rev[k];
        }
        for (uint32_t i = 0; i < N; i++)
            for (uint32_t j = 0; j < N; j++) {
                bool blocked = j >= s.prefix && self[i] <= rev[j];
                /* the rule lets a target see itself: that is the content stream */
                bool sees = tsl_unilm_sees(&s, i, j) && !(i == j && j >= s.prefix);
                assert_int_equal(sees, !blocked);
            }
    }
    tsl_sample_fini(&s);
    tsl_plm_destroy(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(targets_stand_behind_the_context_with_their_positions),
        TEST(sight_is_that_of_xlnets_matrix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
