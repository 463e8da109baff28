/* Rounds against one round of all pairs. */
#include "support/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/fault.h"
#include "support/randtext.h"
#include "text/bperounds.h"

static const char *const temp[] = { "temp" };

enum { IDS = 1500, LETTERS = 30 };

struct result {
    struct tsl_bpemerge_pair merge[IDS];
    size_t n;
    struct tsl_bperounds_stats stats;
};

/* Words as text has them: few letters are frequent, words come again in longer ones. */
static int put_words(struct tsl_bperounds *b, size_t nwords, struct tsl_err *err)
{
    struct rnd r = rnd_make(1, "rounds");
    int rc = 0;
    for (size_t i = 0; i < nwords && rc == 0; i++) {
        uint32_t ids[40];
        size_t n = 2 + rnd_below(&r, 20);
        for (size_t k = 0; k < n; k++)
            ids[k] =
                (uint32_t)rnd_below(&r, 1 + rnd_below(&r, 1 + rnd_below(&r, LETTERS)));
        rc = tsl_bperounds_word(b, ids, n, 1 + 1000 / (1 + rnd_below(&r, 1000)), err);
    }
    return rc;
}

static int run(const struct tsl_bperounds_opts *o, size_t nwords, struct result *out,
               struct tsl_err *err)
{
    struct tsl_bperounds *b = NULL;
    uint32_t id = LETTERS;
    int rc = tsl_bperounds_create(&b, o, err);
    out->n = 0;
    if (rc == 0)
        rc = put_words(b, nwords, err);
    if (rc == 0)
        rc = tsl_bperounds_start(b, NULL, LETTERS, err);
    while (rc == 0 && id < IDS) {
        struct tsl_bpemerge_pair *p = &out->merge[out->n];
        rc = tsl_bperounds_best(b, p, err);
        if (rc <= 0)
            break;
        out->n++;
        rc = tsl_bperounds_apply(b, p, id++, err);
    }
    if (rc == 0)
        out->stats = tsl_bperounds_stats(b);
    tsl_bperounds_destroy(b);
    return rc;
}

static void assert_same(const struct result *a, const struct result *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(a->merge[i].left, b->merge[i].left);
        assert_int_equal(a->merge[i].right, b->merge[i].right);
        assert_int_equal(a->merge[i].count, b->merge[i].count);
    }
}

static void memory_decides_how_many_rounds_there_are_and_no_more(void **state)
{
    (void)state;
    static struct result all, part;
    struct tsl_err err = { 0 };
    struct tsl_bperounds_opts o = { .ids = IDS, .dirs = temp, .ndirs = 1 };
    mkdir("temp", 0700);
    assert_ok(run(&o, 4000, &all, &err), &err);
    assert_int_equal(all.stats.rounds, 1);
    for (o.memory = 512 << 10; o.memory <= 2 << 20; o.memory *= 2) {
        assert_ok(run(&o, 4000, &part, &err), &err);
        assert_true(part.stats.rounds > 1);
        assert_true(part.stats.peak_bytes <= o.memory);
        assert_same(&all, &part);
    }
    o.memory = 0;
    o.pairs_max = 20;
    assert_ok(run(&o, 4000, &part, &err), &err);
    assert_true(part.stats.rounds > 5);
    assert_same(&all, &part);
}

static void what_does_not_fit_in_any_round_is_told(void **state)
{
    (void)state;
    static struct result none;
    struct tsl_err err = { 0 };
    struct tsl_bperounds_opts o = { .ids = IDS, .memory = 10000 };
    assert_err(run(&o, 1000, &none, &err), TSL_ENOMEM, &err, "bytes of memory");
    o.memory = 500 << 10;
    o.pairs.likelihood = true;
    err = (struct tsl_err){ 0 };
    assert_err(run(&o, 4000, &none, &err), TSL_ENOMEM, &err, "bytes of memory");
    tsl_bperounds_destroy(NULL);
}

static void pairs_of_a_lower_count_are_not_asked_for(void **state)
{
    (void)state;
    static struct result all, part;
    struct tsl_err err = { 0 };
    struct tsl_bperounds_opts o = { .ids = IDS, .least = 1000, .pairs_max = 20 };
    assert_ok(run(&o, 1000, &part, &err), &err);
    o = (struct tsl_bperounds_opts){ .ids = IDS };
    assert_ok(run(&o, 1000, &all, &err), &err);
    assert_true(part.n > 10 && part.n < all.n);
    assert_true(all.merge[part.n - 1].count >= 1000);
    assert_true(all.merge[part.n].count < 1000);
    all.n = part.n;
    assert_same(&all, &part);
}

static void any_failure_is_told(void **state)
{
    (void)state;
    static struct result all, part;
    struct tsl_err err = { 0 };
    struct tsl_bperounds_opts o = { .ids = LETTERS + 300, .pairs_max = 20 };
    mkdir("temp", 0700);
    assert_ok(run(&o, 50, &all, &err), &err);
    o = (struct tsl_bperounds_opts){
        .ids = LETTERS + 300, .pairs_max = 20, .memory = 1 << 20, .dirs = temp, .ndirs = 1
    };
    for (unsigned nth = 1;; nth += 1 + nth / 8) {
        fault_arm(nth, NULL);
        err = (struct tsl_err){ 0 };
        int rc = run(&o, 50, &part, &err);
        if (!fault_disarm()) {
            assert_ok(rc, &err);
            break;
        }
        assert_true(rc < 0 && err.msg[0]);
    }
    assert_same(&all, &part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(memory_decides_how_many_rounds_there_are_and_no_more),
        TEST(what_does_not_fit_in_any_round_is_told),
        TEST(pairs_of_a_lower_count_are_not_asked_for),
        TEST(any_failure_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
