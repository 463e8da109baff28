#include "support/test.h"

#include "prep/pair.h"
#include "support/chisquare.h"
#include "support/memdocs.h"

enum { CLS = 1, SEP = 2, BASE = 1000, STRIDE = 4096, LEN = 48 };

static struct tsl_pair_opts opts(void)
{
    struct tsl_pair_opts o = tsl_pair_defaults();
    o.special = (struct tsl_special_ids){ .pad = 0,
                                          .unk = -1,
                                          .cls = CLS,
                                          .sep = SEP,
                                          .mask = 3,
                                          .bos = -1,
                                          .eos = -1,
                                          .vocab_size = 1u << 31 };
    o.seed = 9;
    o.tokens_max = LEN;
    return o;
}

/* Ids tell where a token is from: BASE + document * STRIDE + place. */
static void name_tokens(struct memdocs *m)
{
    for (uint64_t d = 0; d < m->ndocs; d++) {
        struct tsl_doc doc;
        memdocs_get(m, d, 0, &doc, NULL);
        for (size_t i = 0; i < doc.ntokens; i++)
            m->ids[doc.ids - m->ids + (ptrdiff_t)i] = (uint32_t)(BASE + d * STRIDE + i);
    }
}

static uint64_t doc_of(uint32_t id)
{
    return (id - BASE) / STRIDE;
}

/* A segment is one stretch of a document, and, unless words are cut, ends with words. */
static void check_segment(const struct memdocs *m, const uint32_t *ids, uint32_t n,
                          bool cut_words)
{
    struct tsl_doc d = { 0 };
    assert_true(n > 0);
    for (uint32_t i = 1; i < n; i++)
        assert_int_equal(ids[i], ids[i - 1] + 1);
    memdocs_get((void *)(uintptr_t)m, doc_of(ids[0]), 0, &d, NULL);
    uint32_t end = ids[n - 1] + 1 - BASE - (uint32_t)doc_of(ids[0]) * STRIDE;
    assert_true(cut_words || d.starts[(ids[0] - BASE) % STRIDE]);
    assert_true(cut_words || end == d.ntokens || d.starts[end]);
}

static void check_sample(const struct memdocs *m, const struct tsl_pair_opts *o,
                         const struct tsl_sample *s, uint64_t doc)
{
    uint32_t na = s->first - 2, nb = s->n - s->first - 1;
    const uint32_t *a = s->ids + 1, *b = s->ids + s->first;
    assert_true(s->n <= o->tokens_max);
    assert_int_equal(s->ids[0], CLS);
    assert_int_equal(s->ids[s->first - 1], SEP);
    assert_int_equal(s->ids[s->n - 1], SEP);
    check_segment(m, a, na, o->cut_words);
    check_segment(m, b, nb, o->cut_words);
    if (o->kind == TSL_PAIR_NEXT) {
        assert_int_equal(doc_of(a[0]), doc);
        assert_int_equal(doc_of(b[0]) != doc, s->label);
    } else
        assert_true(doc_of(a[0]) == doc && doc_of(b[0]) == doc);
    if (doc_of(b[0]) == doc)
        assert_int_equal(b[0] < a[0], s->label);
}

struct all {
    uint64_t partners[64];
    struct tsl_pair_stats t;
    uint64_t seen; /* a sum that tells runs apart */
};

static void run(struct memdocs *m, const struct tsl_pair_opts *o, uint64_t epoch,
                struct all *all)
{
    struct tsl_err err = { 0 };
    struct tsl_pair p;
    struct tsl_sample s;
    assert_ok(tsl_pair_init(&p, o, &err), &err);
    assert_ok(tsl_sample_init(&s, o->tokens_max, &err), &err);
    for (uint64_t d = 0; d < m->ndocs; d++) {
        struct tsl_doc doc;
        struct tsl_pair_walk w;
        struct tsl_pair_plan plan;
        size_t n = 0;
        memdocs_get(m, d, 0, &doc, NULL);
        tsl_pair_begin(&w, &p, epoch, d, m->ndocs, &doc);
        for (; tsl_pair_next(&w, &plan, &all->t); n++) {
            assert_ok(tsl_pair_build(&p, &plan, n, &m->docs, &s, &all->t, &err), &err);
            check_sample(m, o, &s, d);
            all->partners[doc_of(s.ids[s.first])] += s.label;
            all->seen = all->seen * 31 + s.ids[s.n / 2] + s.n + s.label;
        }
        assert_true(n <= doc.nsents);
    }
    tsl_sample_fini(&s);
}

static void half_of_the_pairs_are_random_and_partners_uniform(void **state)
{
    (void)state;
    struct memdocs m;
    struct all all = { 0 };
    struct tsl_pair_opts o = opts();
    memdocs_init(&m);
    memdocs_make(&m, 3, 40, 20, 30, 10, 20);
    name_tokens(&m);
    for (uint64_t epoch = 0; epoch < 60; epoch++)
        run(&m, &o, epoch, &all);
    double n = (double)all.t.samples;
    assert_true(fabs((double)all.t.label1 - n / 2) < 4 * sqrt(n) / 2);
    /* each document is as likely, though not quite: own ones are left out, and documents
     * have more or fewer samples to be partners of */
    assert_true(chisquare_uniform(all.partners, 40) < 6);
    assert_int_equal(all.t.one_document, 0);
    memdocs_fini(&m);
}

static void order_pairs_are_swapped_half_the_time_and_never_random(void **state)
{
    (void)state;
    struct memdocs m;
    struct all all = { 0 };
    struct tsl_pair_opts o = opts();
    o.kind = TSL_PAIR_ORDER;
    memdocs_init(&m);
    memdocs_make(&m, 4, 40, 3, 90, 10, 20); /* many of one sentence */
    name_tokens(&m);
    for (uint64_t epoch = 0; epoch < 60; epoch++)
        run(&m, &o, epoch, &all);
    double n = (double)all.t.samples;
    assert_true(fabs((double)all.t.label1 - n / 2) < 4 * sqrt(n) / 2);
    assert_true(all.t.lone_split > 0);
    memdocs_fini(&m);
}

static void samples_follow_from_seed_epoch_and_document_alone(void **state)
{
    (void)state;
    struct memdocs m;
    struct all a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
    struct tsl_pair_opts o = opts();
    memdocs_init(&m);
    memdocs_make(&m, 5, 30, 20, 30, 10, 20);
    name_tokens(&m);
    run(&m, &o, 1, &a);
    run(&m, &o, 1, &b);
    run(&m, &o, 2, &c);
    o.seed++;
    run(&m, &o, 1, &d);
    assert_true(a.seen == b.seen && a.seen != c.seen && a.seen != d.seen);
    memdocs_fini(&m);
}

static void partners_come_from_the_window_before_or_the_front(void **state)
{
    (void)state;
    struct memdocs m;
    struct tsl_err err = { 0 };
    struct tsl_pair p;
    struct tsl_pair_stats t = { 0 };
    struct tsl_pair_opts o = opts();
    uint64_t first = 0;
    o.window = 5;
    memdocs_init(&m);
    memdocs_make(&m, 6, 40, 20, 30, 10, 20);
    assert_ok(tsl_pair_init(&p, &o, &err), &err);
    for (uint64_t d = 0; d < m.ndocs; d++) {
        struct tsl_doc doc;
        struct tsl_pair_walk w;
        struct tsl_pair_plan plan;
        memdocs_get(&m, d, 0, &doc, NULL);
        tsl_pair_begin(&w, &p, 0, d, m.ndocs, &doc);
        while (tsl_pair_next(&w, &plan, &t)) {
            if (!plan.is_random)
                assert_true(plan.partner == d);
            else if (d > 5)
                assert_true(plan.partner < d && plan.partner + 5 >= d);
            else
                assert_true(plan.partner != d && plan.partner <= 5);
            first += d == 0 && plan.is_random;
        }
    }
    assert_true(first > 0 && t.one_document == 0);
    memdocs_fini(&m);
}

static void the_only_document_is_its_own_partner_and_that_is_told(void **state)
{
    (void)state;
    static uint32_t ids[30];
    static const uint8_t starts[30] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    struct memdocs m;
    struct tsl_err err = { 0 };
    struct tsl_pair p;
    struct tsl_sample s;
    struct tsl_pair_stats t = { 0 };
    struct tsl_pair_opts o = opts();
    memdocs_init(&m);
    memdocs_begin(&m);
    for (unsigned i = 0; i < 40; i++)
        memdocs_sentence(&m, ids, starts, 30);
    assert_ok(tsl_pair_init(&p, &o, &err), &err);
    assert_ok(tsl_sample_init(&s, LEN, &err), &err);
    struct tsl_doc doc;
    struct tsl_pair_walk w;
    struct tsl_pair_plan plan;
    memdocs_get(&m, 0, 0, &doc, NULL);
    tsl_pair_begin(&w, &p, 0, 0, 1, &doc);
    while (tsl_pair_next(&w, &plan, &t))
        assert_ok(tsl_pair_build(&p, &plan, 0, &m.docs, &s, &t, &err), &err);
    assert_true(t.one_document > 0 && t.one_document == t.label1);
    tsl_sample_fini(&s);
    memdocs_fini(&m);
}

static void documents_of_one_sentence_are_split_paired_or_dropped(void **state)
{
    (void)state;
    struct memdocs m;
    struct tsl_pair_opts o = opts();
    memdocs_init(&m);
    memdocs_make(&m, 7, 50, 1, 30, 10, 20);
    name_tokens(&m);
    for (unsigned lone = TSL_PAIR_LONE_SPLIT; lone <= TSL_PAIR_LONE_DROP; lone++) {
        struct all all = { 0 };
        o.lone = (enum tsl_pair_lone)lone;
        run(&m, &o, 0, &all);
        assert_int_equal(all.t.samples + all.t.lone_dropped, 50);
        if (lone == TSL_PAIR_LONE_RANDOM)
            assert_int_equal(all.t.label1, 50);
        if (lone == TSL_PAIR_LONE_DROP)
            assert_int_equal(all.t.samples, 0);
        if (lone == TSL_PAIR_LONE_SPLIT)
            assert_true(all.t.lone_split + all.t.label1 == all.t.samples &&
                        all.t.samples > 40);
    }
    memdocs_fini(&m);
}

/* The closed form against the scripts' loop, by the lengths that are left. */
static void truncation_leaves_the_lengths_that_the_scripts_leave(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_pair_opts o = opts();
    struct tsl_pair p;
    struct tsl_sample s;
    uint32_t ids[100] = { 0 };
    uint8_t starts[100] = { 0 };
    struct tsl_pair_stats t = { 0 };
    o.tokens_max = 23;
    o.cut_words = true;
    assert_ok(tsl_pair_init(&p, &o, &err), &err);
    assert_ok(tsl_sample_init(&s, 23, &err), &err);
    for (uint32_t a = 1; a < 50; a++) {
        for (uint32_t b = 1; b < 50; b++) {
            struct memdocs m;
            memdocs_init(&m);
            memdocs_begin(&m);
            memdocs_sentence(&m, ids, starts, a);
            memdocs_sentence(&m, ids, starts, b);
            struct tsl_pair_plan plan = {
                .a_len = a & 65535, .b_at = a, .b_len = b & 65535, .draw = a
            };
            assert_ok(tsl_pair_build(&p, &plan, 0, &m.docs, &s, &t, &err), &err);
            uint32_t x = a, y = b;
            while (x + y > 20)
                --*(x > y ? &x : &y);
            assert_int_equal(s.first, x + 2);
            assert_int_equal(s.n, x + y + 3);
            memdocs_fini(&m);
        }
    }
    tsl_sample_fini(&s);
}

static void short_lengths_are_drawn_for_each_sample(void **state)
{
    (void)state;
    struct memdocs m;
    struct tsl_err err = { 0 };
    struct tsl_pair_opts o = opts();
    struct tsl_pair_stats t = { 0 };
    uint64_t n[2];
    memdocs_init(&m);
    memdocs_make(&m, 8, 1, 3000, 3, 10, 20);
    for (unsigned i = 0; i < 2; i++) {
        struct tsl_pair p;
        struct tsl_doc doc;
        struct tsl_pair_walk w;
        struct tsl_pair_plan plan;
        o.short_rate = i;
        assert_ok(tsl_pair_init(&p, &o, &err), &err);
        memdocs_get(&m, 0, 0, &doc, NULL);
        tsl_pair_begin(&w, &p, 0, 0, 1, &doc);
        for (n[i] = 0; tsl_pair_next(&w, &plan, &t); n[i]++)
            ;
    }
    assert_true(n[1] > n[0] * 3 / 2); /* within one document, too */
    memdocs_fini(&m);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct tsl_pair p;
    struct tsl_err err = { 0 };
    struct tsl_pair_opts o = opts();
    o.tokens_max = 4;
    assert_err(tsl_pair_init(&p, &o, &err), TSL_EUSAGE, &err, "length of 4");
    o = opts();
    o.special.sep = -1;
    assert_err(tsl_pair_init(&p, &o, &err), TSL_EUSAGE, &err, "[SEP]");
    o = opts();
    o.short_rate = -1;
    assert_err(tsl_pair_init(&p, &o, &err), TSL_EUSAGE, &err, "-1");
}

static void documents_that_changed_since_the_plan_are_refused(void **state)
{
    (void)state;
    struct memdocs m;
    struct tsl_err err = { 0 };
    struct tsl_pair p;
    struct tsl_sample s;
    struct tsl_pair_stats t = { 0 };
    struct tsl_pair_opts o = opts();
    struct tsl_pair_plan plan = { .a_at = 5000, .a_len = 5, .b_at = 1, .b_len = 5 };
    memdocs_init(&m);
    memdocs_make(&m, 8, 3, 3, 30, 10, 20);
    assert_ok(tsl_pair_init(&p, &o, &err), &err);
    assert_ok(tsl_sample_init(&s, LEN, &err), &err);
    assert_err(tsl_pair_build(&p, &plan, 0, &m.docs, &s, &t, &err), TSL_EFORMAT, &err,
               "changed");
    tsl_sample_fini(&s);
    memdocs_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(half_of_the_pairs_are_random_and_partners_uniform),
        TEST(order_pairs_are_swapped_half_the_time_and_never_random),
        TEST(samples_follow_from_seed_epoch_and_document_alone),
        TEST(partners_come_from_the_window_before_or_the_front),
        TEST(the_only_document_is_its_own_partner_and_that_is_told),
        TEST(documents_of_one_sentence_are_split_paired_or_dropped),
        TEST(truncation_leaves_the_lengths_that_the_scripts_leave),
        TEST(short_lengths_are_drawn_for_each_sample),
        TEST(options_that_make_no_sense_are_refused),
        TEST(documents_that_changed_since_the_plan_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
