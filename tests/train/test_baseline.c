#include "support/test.h"

#include <string.h>

#include "support/sampleset.h"
#include "train/baseline.h"

enum { V = SAMPLESET_VOCAB };

static struct tsl_loader_opts data_of(struct tsl_loader_set *set, const char *objective)
{
    return (struct tsl_loader_opts){ .sets = set,
                                     .nsets = 1,
                                     .rows = 7,
                                     .data = { .doc_end = -1, .objective = objective } };
}

/* The same by tables of all pairs that there can be. */
struct slow {
    uint32_t unigram[V], left[V][V], right[V][V];
    struct tsl_baseline_out out;
};

static uint32_t best(const uint32_t *n)
{
    uint32_t at = 0;
    for (uint32_t i = 1; i < V; i++)
        at = n[i] > n[at] ? i : at;
    return at;
}

static bool special(int32_t id)
{
    return id == 0 || id == SAMPLESET_CLS || id == SAMPLESET_SEP || id == SAMPLESET_MASK;
}

static void slow_count(struct slow *s, const int32_t *in, const int32_t *labels,
                       int32_t n, bool next)
{
    int32_t was[64];
    for (int32_t i = 0; i < n; i++) {
        was[i] = !next && labels[i] >= 0 ? labels[i] : in[i];
        if (labels[i] >= 0 && !special(labels[i])) {
            s->unigram[labels[i]]++;
            s->out.counted++;
        }
    }
    for (int32_t i = 0; i < n; i++) {
        if (next && labels[i] >= 0 && !special(labels[i]))
            s->left[was[i]][labels[i]]++;
        if (!next && i > 0 && !special(was[i]))
            s->left[was[i - 1]][was[i]]++;
        if (!next && i + 1 < n && !special(was[i]))
            s->right[was[i + 1]][was[i]]++;
    }
}

static void slow_answer(struct slow *s, const int32_t *in, const int32_t *labels,
                        int32_t n, bool next)
{
    uint32_t frequent = best(s->unigram);
    for (int32_t i = 0; i < n; i++) {
        if (labels[i] < 0)
            continue;
        int32_t l = next ? in[i]
                    : i  ? in[i - 1]
                         : SAMPLESET_MASK,
                r = i + 1 < n && !next ? in[i + 1] : SAMPLESET_MASK;
        uint32_t by_left = best(s->left[l]), by_right = best(s->right[r]),
                 said = frequent;
        if (l != SAMPLESET_MASK && s->left[l][by_left])
            said = by_left, s->out.by_left++;
        else if (r != SAMPLESET_MASK && s->right[r][by_right])
            said = by_right, s->out.by_right++;
        s->out.labels++;
        s->out.unigram_right += (uint32_t)labels[i] == frequent;
        s->out.bigram_right += (uint32_t)labels[i] == said;
    }
}

static void slow_pass(struct slow *s, const char *path, const char *objective, bool count)
{
    struct tsl_loader_set set = { .path = path };
    struct tsl_loader_opts o = data_of(&set, objective);
    const struct tsl_trainbatch *b;
    struct tsl_loader *l;
    struct tsl_err err = { 0 };
    o.in_order = o.one_epoch = true;
    o.epochs = 1;
    assert_ok(tsl_loader_open(&l, &o, &err), &err);
    while (tsl_loader_next(l, &b, &err) == 1)
        for (uint32_t r = 0; r < b->rows; r++) {
            size_t at = (size_t)r * b->shape.tokens_max;
            (count ? slow_count : slow_answer)(s, b->input_ids + at, b->labels + at,
                                               b->lengths[r], objective != NULL);
        }
    tsl_loader_destroy(l);
}

static void compare(const char *objective)
{
    static struct slow s;
    static const size_t memory[] = { 1, 100 << 10, 0 };
    s = (struct slow){ .out = { 0 } };
    slow_pass(&s, "t.tslrec", objective, true);
    slow_pass(&s, "h.tslrec", objective, false);
    for (unsigned i = 0; i < 3; i++) {
        struct tsl_loader_set train = { .path = "t.tslrec" },
                              held = { .path = "h.tslrec" };
        struct tsl_baseline_opts o = { .train = data_of(&train, objective),
                                       .held = data_of(&held, objective),
                                       .memory = memory[i] };
        struct tsl_baseline_out out;
        struct tsl_err err = { 0 };
        assert_ok(tsl_baseline_run(&o, &out, &err), &err);
        assert_int_equal(out.frequent, best(s.unigram));
        assert_int_equal(out.counted, s.out.counted);
        assert_int_equal(out.labels, s.out.labels);
        assert_int_equal(out.unigram_right, s.out.unigram_right);
        assert_int_equal(out.bigram_right, s.out.bigram_right);
        assert_int_equal(out.by_left, s.out.by_left);
        assert_int_equal(out.by_right, s.out.by_right);
        assert_true(i == 0 ? out.passes > 5 : i == 1 ? out.passes > 1 : out.passes == 1);
    }
}

static void counts_are_exact_with_any_memory(void **state)
{
    (void)state;
    sampleset_write("t.tslrec", 400, 1);
    sampleset_write("h.tslrec", 60, 2);
    compare(NULL);
}

static void next_tokens_have_their_left_neighbour_alone(void **state)
{
    (void)state;
    sampleset_write("t.tslrec", 700, 1);
    sampleset_write("h.tslrec", 60, 2);
    compare("clm");
}

static void sets_that_do_not_go_together_are_refused(void **state)
{
    (void)state;
    sampleset_write("t.tslrec", 20, 1);
    struct tsl_loader_set set = { .path = "t.tslrec" };
    struct tsl_baseline_opts o = { .train = data_of(&set, NULL),
                                   .held = data_of(&set, "clm") };
    struct tsl_baseline_out out;
    struct tsl_err err = { 0 };
    assert_err(tsl_baseline_run(&o, &out, &err), TSL_EUSAGE, &err,
               "what is held out for");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counts_are_exact_with_any_memory),
        TEST(next_tokens_have_their_left_neighbour_alone),
        TEST(sets_that_do_not_go_together_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
