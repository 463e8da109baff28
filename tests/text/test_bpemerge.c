#include "support/test.h"

#include <string.h>

#include "support/randtext.h"
#include "text/bpemerge.h"

static struct tsl_bpemerge *make(const struct tsl_bpemerge_opts *o)
{
    struct tsl_err err = { 0 };
    struct tsl_bpemerge *m = NULL;
    assert_ok(tsl_bpemerge_create(&m, o, &err), &err);
    return m;
}

static void put(struct tsl_bpemerge *m, const uint32_t *ids, size_t n, uint64_t count)
{
    struct tsl_err err = { 0 };
    assert_ok(tsl_bpemerge_word(m, ids, n, count, &err), &err);
}

static void start(struct tsl_bpemerge *m, size_t nids)
{
    struct tsl_err err = { 0 };
    assert_ok(tsl_bpemerge_start(m, NULL, nids, &err), &err);
}

static void assert_best(struct tsl_bpemerge *m, struct tsl_bpemerge_pair *p,
                        uint32_t left, uint32_t right, uint64_t count)
{
    struct tsl_err err = { 0 };
    assert_int_equal(tsl_bpemerge_best(m, p, &err), 1);
    assert_int_equal(p->left, left);
    assert_int_equal(p->right, right);
    assert_int_equal(p->count, count);
}

static void assert_none(struct tsl_bpemerge *m)
{
    struct tsl_err err = { 0 };
    struct tsl_bpemerge_pair p;
    assert_int_equal(tsl_bpemerge_best(m, &p, &err), 0);
}

static void apply(struct tsl_bpemerge *m, const struct tsl_bpemerge_pair *p, uint32_t id)
{
    struct tsl_err err = { 0 };
    assert_ok(tsl_bpemerge_apply(m, p, id, &err), &err);
}

static void the_best_pair_comes_most_often_then_has_the_smallest_ids(void **state)
{
    (void)state;
    const uint32_t a[] = { 0, 1, 2 }, b[] = { 2, 1, 0 };
    struct tsl_bpemerge_pair p;
    struct tsl_bpemerge *m = make(&(struct tsl_bpemerge_opts){ 0 });
    put(m, a, 3, 5);
    put(m, b, 3, 4);
    start(m, 3);
    assert_best(m, &p, 0, 1, 5);
    apply(m, &p, 3);
    assert_best(m, &p, 3, 2, 5);
    apply(m, &p, 4);
    assert_best(m, &p, 1, 0, 4);
    assert_best(m, &p, 2, 1, 4); /* the other was not applied, and is gone */
    apply(m, &p, 5);
    assert_best(m, &p, 5, 0, 4);
    apply(m, &p, 6);
    assert_none(m);
    assert_int_equal(tsl_bpemerge_pairs(m), 6);
    tsl_bpemerge_destroy(m);
}

static void overlaps_are_counted_and_merged_from_the_left(void **state)
{
    (void)state;
    const uint32_t a[] = { 0, 0, 0, 0, 0 };
    struct tsl_bpemerge_pair p;
    struct tsl_bpemerge *m = make(&(struct tsl_bpemerge_opts){ 0 });
    put(m, a, 5, 3);
    start(m, 1);
    assert_best(m, &p, 0, 0, 12);
    apply(m, &p, 1); /* 1 1 0 */
    assert_best(m, &p, 1, 0, 3);
    apply(m, &p, 2); /* 1 2 */
    assert_best(m, &p, 1, 2, 3);
    apply(m, &p, 3);
    assert_none(m);
    tsl_bpemerge_destroy(m);
}

/* Counts all pairs of symbols as they are now. */
static void recount(const uint32_t *s, size_t n, uint64_t count[200][200])
{
    memset(count, 0, 200 * sizeof *count);
    for (size_t i = 0; i + 1 < n; i++)
        count[s[i]][s[i + 1]]++;
}

static size_t replace(uint32_t *s, size_t n, const struct tsl_bpemerge_pair *p,
                      uint32_t id)
{
    size_t to = 0;
    for (size_t i = 0; i < n; i++) {
        bool here = i + 1 < n && s[i] == p->left && s[i + 1] == p->right;
        s[to++] = here ? id : s[i];
        i += here;
    }
    return to;
}

static void long_words_are_merged_as_short_ones(void **state)
{
    (void)state;
    enum { LEN = 5000 };
    static uint32_t s[LEN];
    static uint64_t count[200][200];
    struct rnd r = rnd_make(3, "bpemerge");
    for (uint32_t nids = 1; nids < 20; nids += 3) {
        struct tsl_bpemerge *m = make(&(struct tsl_bpemerge_opts){ 0 });
        size_t n = LEN;
        for (size_t i = 0; i < LEN; i++)
            s[i] = (uint32_t)rnd_below(&r, nids);
        put(m, s, n, 1);
        start(m, nids);
        for (uint32_t id = nids; id < 200; id++) {
            struct tsl_bpemerge_pair p;
            uint64_t best = 0;
            recount(s, n, count);
            for (uint32_t i = 0; i < id * id; i++)
                if (count[i / id][i % id] > best)
                    best = count[i / id][i % id];
            if (best == 0) {
                assert_none(m);
                break;
            }
            uint32_t i = 0;
            while (count[i / id][i % id] < best)
                i++;
            assert_best(m, &p, i / id, i % id, best);
            apply(m, &p, id);
            n = replace(s, n, &p, id);
        }
        tsl_bpemerge_destroy(m);
    }
}

static bool odd_ones_only(void *ctx, uint32_t left, uint32_t right)
{
    (void)ctx;
    return left % 2 && right % 2;
}

static void pairs_that_are_not_allowed_do_not_come(void **state)
{
    (void)state;
    const uint32_t a[] = { 1, 2, 1, 1, 3, 3 };
    struct tsl_bpemerge_pair p;
    struct tsl_bpemerge *m =
        make(&(struct tsl_bpemerge_opts){ .allowed = odd_ones_only });
    put(m, a, 6, 1);
    start(m, 4);
    assert_best(m, &p, 1, 1, 1);
    apply(m, &p, 4);
    assert_best(m, &p, 3, 3, 1);
    apply(m, &p, 5);
    assert_none(m);
    tsl_bpemerge_destroy(m);
}

static void a_pair_with_an_id_that_is_there_comes_again(void **state)
{
    (void)state;
    const uint32_t a[] = { 0, 1 }, b[] = { 2, 3, 1 };
    struct tsl_bpemerge_pair p;
    struct tsl_bpemerge *m = make(&(struct tsl_bpemerge_opts){ 0 });
    put(m, a, 2, 9);
    put(m, b, 3, 2);
    start(m, 4);
    assert_best(m, &p, 0, 1, 9);
    apply(m, &p, 4);
    assert_best(m, &p, 2, 3, 2);
    apply(m, &p, 0);              /* 0 1 again */
    assert_best(m, &p, 0, 1, 11); /* as Hugging Face's trainer counts it */
    apply(m, &p, 4);
    assert_none(m);
    tsl_bpemerge_destroy(m);
}

static void words_beyond_memory_are_refused(void **state)
{
    (void)state;
    const uint32_t a[] = { 0, 1, 2, 3 };
    struct tsl_err err = { 0 };
    struct tsl_bpemerge *m = make(&(struct tsl_bpemerge_opts){ .memory = 1 << 20 });
    int rc = 0;
    for (size_t i = 0; i < 100000 && rc == 0; i++) {
        assert_false(tsl_bpemerge_is_over(m));
        rc = tsl_bpemerge_word(m, a, 4, 1, &err);
    }
    assert_err(rc, TSL_ENOMEM, &err, "more than 1048576 bytes");
    assert_true(tsl_bpemerge_is_over(m));
    tsl_bpemerge_destroy(m);
    tsl_bpemerge_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_best_pair_comes_most_often_then_has_the_smallest_ids),
        TEST(overlaps_are_counted_and_merged_from_the_left),
        TEST(long_words_are_merged_as_short_ones),
        TEST(pairs_that_are_not_allowed_do_not_come),
        TEST(a_pair_with_an_id_that_is_there_comes_again),
        TEST(words_beyond_memory_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
