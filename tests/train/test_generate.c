#include "support/test.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "support/trainlittle.h"
#include "train/generate.h"

enum { V = 23 };

static struct tsl_pool *pool; /* of one thread: for all tests */
static const int32_t prompt[] = { 5, 9, 2 };

static struct tsl_generate_opts opts_of(const struct tsl_weights *w)
{
    return (struct tsl_generate_opts){
        .weights = w, .length = 12, .end = -1, .mask = -1, .pool = pool, .nthreads = 1
    };
}

static struct tsl_generated sample(const struct tsl_generate_opts *o, uint64_t which,
                                   int32_t *ids)
{
    struct tsl_generate *g;
    struct tsl_generated out;
    struct tsl_err err = { 0 };
    assert_ok(tsl_generate_open(&g, o, &err), &err);
    assert_ok(tsl_generate_sample(g, prompt, 3, which, &out, &err), &err);
    memcpy(ids, out.ids, out.n * sizeof *ids);
    out.ids = ids;
    tsl_generate_destroy(g);
    return out;
}

static void one_beam_and_top_k_of_one_are_greedy(void **state)
{
    struct tsl_weights w;
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct tsl_generated a, b, c[TSL_GENERATE_BEAMS_MAX];
        struct tsl_generate *g;
        struct tsl_err err = { 0 };
        int32_t ida[64], idb[64];
        size_t n;
        trainlittle_open(&w, "gpt2-tiny", V, seed);
        struct tsl_generate_opts o = opts_of(&w);
        o.end = (int64_t)seed * 3 % V;
        a = sample(&o, 0, ida);
        o.temperature = 1.7;
        o.top_k = 1;
        b = sample(&o, 5, idb);
        assert_int_equal(a.n, b.n);
        assert_memory_equal(ida, idb, a.n * sizeof *ida);
        o = opts_of(&w);
        o.end = (int64_t)seed * 3 % V;
        o.beams = 1;
        assert_ok(tsl_generate_open(&g, &o, &err), &err);
        assert_ok(tsl_generate_beams(g, prompt, 3, c, &n, &err), &err);
        assert_int_equal(n, 1);
        assert_int_equal(c[0].n, a.n);
        assert_int_equal(c[0].ended, a.ended);
        assert_memory_equal(c[0].ids, ida, a.n * sizeof *ida);
        assert_true(fabs(c[0].score - a.score) < 1e-9);
        tsl_generate_destroy(g);
        tsl_weights_close(&w);
    }
}

static void many_beams_find_the_best_of_all_texts(void **state)
{
    enum { END = 7, SMALL = 8 };
    struct tsl_weights w;
    struct tsl_infer *x;
    struct tsl_generate *g;
    struct tsl_generated found[TSL_GENERATE_BEAMS_MAX];
    struct tsl_err err = { 0 };
    size_t n;
    (void)state;
    trainlittle_open(&w, "gpt2-tiny", SMALL, 3);
    struct tsl_generate_opts o = opts_of(&w);
    o.length = 2;
    o.end = END;
    o.beams = 64; /* all texts of two tokens */
    assert_ok(tsl_generate_open(&g, &o, &err), &err);
    assert_ok(tsl_infer_open(&x,
                             &(struct tsl_infer_opts){ .weights = &w,
                                                       .pool = pool,
                                                       .nthreads = 1,
                                                       .mask = TSL_ATTN_CAUSAL },
                             &err),
              &err);
    const int32_t begin[] = { 1 };
    assert_ok(tsl_generate_beams(g, begin, 1, found, &n, &err), &err);
    assert_int_equal(n, 7 * 8 + 1);
    for (size_t i = 0; i + 1 < n; i++)
        assert_true(found[i].score >= found[i + 1].score);
    double all = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t ids[3] = { 1 };
        double p[SMALL], log_sum, score = 0;
        for (uint32_t k = 0; k < found[i].n; k++) {
            const float *logits;
            struct tsl_infer_row row = { ids, k + 1, k + 1, k + 1 };
            struct tsl_infer_place place = { 0, k };
            assert_ok(tsl_infer_run(x, &row, 1, &place, 1, &logits, &err), &err);
            tsl_infer_chances(logits, SMALL, p, &log_sum);
            score += (double)logits[found[i].ids[k]] - log_sum;
            ids[k + 1] = found[i].ids[k];
        }
        assert_true(fabs(score - found[i].score) < 1e-5);
        assert_true(found[i].ended == (ids[found[i].n] == END));
        all += exp(score);
    }
    assert_true(fabs(all - 1) < 1e-5); /* nothing was lost */
    tsl_generate_destroy(g);
    tsl_infer_destroy(x);
    tsl_weights_close(&w);
}

static void draws_repeat_and_do_not_depend_on_each_other(void **state)
{
    struct tsl_weights w;
    int32_t a[64], b[64];
    unsigned other = 0;
    (void)state;
    trainlittle_open(&w, "gpt2-tiny", V, 3);
    struct tsl_generate_opts o = opts_of(&w);
    o.temperature = 1;
    o.top_p = .95;
    for (uint64_t s = 0; s < 5; s++) {
        struct tsl_generated x = sample(&o, s, a), y = sample(&o, s, b);
        assert_int_equal(x.n, 12);
        assert_memory_equal(a, b, x.n * sizeof *a);
        assert_true(x.score == y.score);
        sample(&o, s + 1, b);
        other += memcmp(a, b, sizeof a[0] * 12) != 0;
    }
    assert_true(other >= 4);
    tsl_weights_close(&w);
}

static void choices_are_those_of_the_worked_examples(void **state)
{
    static const double p[] = { .15, .5, .05, .2, .1 }, q[] = { .7, .2, .1 };
    struct tsl_generate_choice c[5];
    float x[5], y[3];
    (void)state;
    for (int i = 0; i < 5; i++)
        x[i] = (float)log(p[i]);
    for (int i = 0; i < 3; i++)
        y[i] = (float)log(q[i]);
    assert_int_equal(tsl_generate_choices(x, 5, 1, 0, .6, c), 2);
    assert_int_equal(c[0].id, 1);
    assert_int_equal(c[1].id, 3);
    assert_true(fabs(c[0].p - .714285714286) < 1e-6);
    assert_int_equal(tsl_generate_choices(x, 5, 1, 0, .71, c), 3);
    assert_true(fabs(c[0].p - .588235294118) < 1e-6);
    assert_true(fabs(c[2].p - .176470588235) < 1e-6);
    assert_int_equal(tsl_generate_choices(x, 5, 1, 2, 0, c), 2);
    assert_int_equal(tsl_generate_choices(x, 5, 1, 0, 1, c), 5);
    assert_int_equal(tsl_generate_choices(y, 3, .5, 0, 0, c), 3);
    assert_true(fabs(c[0].p - .907407407407) < 1e-6);
    assert_true(fabs(c[2].p - .018518518519) < 1e-6);
    tsl_generate_choices(y, 3, 2, 0, 0, c);
    assert_true(fabs(c[1].p - .279490786546) < 1e-6);
}

static void masks_behind_the_text_are_found_out(void **state)
{
    struct tsl_weights w;
    int32_t ids[64], row[16];
    struct tsl_infer *x;
    struct tsl_err err = { 0 };
    (void)state;
    trainlittle_open(&w, "bert-tiny", V, 3);
    struct tsl_generate_opts o = opts_of(&w);
    o.mask = 4;
    o.length = 5;
    struct tsl_generated out = sample(&o, 0, ids);
    assert_int_equal(out.n, 5);
    assert_ok(tsl_infer_open(&x,
                             &(struct tsl_infer_opts){ .weights = &w,
                                                       .pool = pool,
                                                       .nthreads = 1,
                                                       .mask = TSL_ATTN_PREFIX },
                             &err),
              &err);
    memcpy(row, prompt, sizeof prompt);
    for (uint32_t i = 0; i < 5; i++) {
        const float *logits;
        struct tsl_infer_row r = { row, 4 + i, 3, 3 };
        struct tsl_infer_place place = { 0, 3 + i };
        row[3 + i] = 4;
        assert_ok(tsl_infer_run(x, &r, 1, &place, 1, &logits, &err), &err);
        for (int k = 0; k < V; k++)
            assert_true(logits[k] <= logits[ids[i]]);
        row[3 + i] = ids[i];
    }
    tsl_infer_destroy(x);
    tsl_weights_close(&w);
}

static void what_does_not_fit_is_refused(void **state)
{
    struct tsl_weights w;
    struct tsl_generate *g;
    struct tsl_generated out;
    struct tsl_err err = { 0 };
    (void)state;
    trainlittle_open(&w, "gpt2-tiny", V, 3); /* of 40 positions */
    struct tsl_generate_opts o = opts_of(&w);
    o.length = 38;
    assert_ok(tsl_generate_open(&g, &o, &err), &err);
    assert_ok(tsl_generate_sample(g, prompt, 3, 0, &out, &err), &err);
    assert_int_equal(out.n, 38);
    assert_err(tsl_generate_sample(g, prompt, 0, 0, &out, &err), TSL_EUSAGE, &err,
               "no token");
    const int32_t high[] = { V };
    assert_err(tsl_generate_sample(g, high, 1, 0, &out, &err), TSL_EUSAGE, &err,
               "is this its vocabulary?");
    tsl_generate_destroy(g);
    tsl_weights_close(&w);
    trainlittle_open(&w, "unilm-tiny", V, 3);
    o = opts_of(&w);
    o.mask = 4;
    o.length = 39;
    assert_ok(tsl_generate_open(&g, &o, &err), &err);
    assert_err(tsl_generate_sample(g, prompt, 3, 0, &out, &err), TSL_EUSAGE, &err,
               "40 positions: a shorter prompt");
    tsl_generate_destroy(g);
    tsl_weights_close(&w);
}

/* Behind the last position: each token is what the 40 before it alone would give. */
static void longer_texts_go_on_by_their_last_tokens(void **state)
{
    enum { LONG = 60, SEEN = 40 };
    struct tsl_weights w;
    struct tsl_generate *g, *one;
    struct tsl_generated out, next;
    struct tsl_err err = { 0 };
    int32_t all[3 + LONG];
    (void)state;
    trainlittle_open(&w, "gpt2-tiny", V, 3);
    struct tsl_generate_opts o = opts_of(&w);
    o.end = -1;
    o.length = LONG;
    assert_ok(tsl_generate_open(&g, &o, &err), &err);
    o.length = 1;
    assert_ok(tsl_generate_open(&one, &o, &err), &err);
    assert_int_equal(tsl_generate_positions(g), SEEN);
    assert_ok(tsl_generate_sample(g, prompt, 3, 0, &out, &err), &err);
    assert_int_equal(out.n, LONG);
    memcpy(all, prompt, sizeof prompt);
    memcpy(all + 3, out.ids, LONG * sizeof *all);
    for (unsigned i = SEEN - 3; i < LONG; i++) {
        assert_ok(tsl_generate_sample(one, all + 3 + i - SEEN, SEEN, 0, &next, &err),
                  &err);
        assert_int_equal(next.ids[0], all[3 + i]);
    }
    /* a prompt that is too long by itself */
    assert_ok(tsl_generate_sample(one, all, SEEN + 5, 0, &next, &err), &err);
    assert_int_equal(next.ids[0], all[SEEN + 5]);
    tsl_generate_destroy(one);
    tsl_generate_destroy(g);
    tsl_weights_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_beam_and_top_k_of_one_are_greedy),
        TEST(many_beams_find_the_best_of_all_texts),
        TEST(draws_repeat_and_do_not_depend_on_each_other),
        TEST(choices_are_those_of_the_worked_examples),
        TEST(masks_behind_the_text_are_found_out),
        TEST(what_does_not_fit_is_refused),
        TEST(longer_texts_go_on_by_their_last_tokens),
    };
    if (tsl_pool_create(&pool, 1, NULL) < 0)
        return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    tsl_pool_destroy(pool);
    return rc;
}
