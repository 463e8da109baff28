#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "prep/instlog.h"
#include "support/memdocs.h"

enum { CLS = 1, SEP = 2, MASK = 3, LEN = 300, MANY = 40000 };

static uint64_t rng = 5;

static uint32_t below(uint32_t n)
{
    rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((rng >> 32) * n >> 32);
}

static struct tsl_special_ids special(void)
{
    return (struct tsl_special_ids){ .pad = 0,
                                     .unk = -1,
                                     .cls = CLS,
                                     .sep = SEP,
                                     .mask = MASK,
                                     .bos = -1,
                                     .eos = -1,
                                     .vocab_size = 1u << 31 };
}

/* One instance of two stretches and some masks, all from the generator as it stands. */
static void draw(struct memdocs *m, struct tsl_instance *x, uint64_t *chosen,
                 uint32_t *shown)
{
    struct tsl_stretch *s[] = { &x->a, &x->b };
    for (unsigned i = 0; i < 2; i++) {
        struct tsl_doc d = { 0 };
        s[i]->doc = below((uint32_t)m->ndocs);
        memdocs_get(m, s[i]->doc, 0, &d, NULL);
        s[i]->at = below((uint32_t)d.ntokens);
        s[i]->len = 1 + below((uint32_t)d.ntokens - s[i]->at);
        if (s[i]->len > 140)
            s[i]->len = 140;
    }
    uint32_t n = x->a.len + x->b.len + 3, every = 1 + below(200);
    memset(chosen, 0, (n + 63) / 64 * sizeof *chosen);
    for (uint32_t i = 0; i < n; i++) {
        if (below(every))
            continue;
        chosen[i / 64] |= UINT64_C(1) << (i % 64);
        shown[i] = below(2) ? MASK : below(2) ? TSL_INSTANCE_KEPT : below(1u << 31);
    }
    x->label = below(2) & 1;
    x->chosen = chosen;
    x->shown = shown;
}

static void instances_come_back_in_any_order(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct memdocs m;
    struct tsl_sample s;
    struct tsl_instlog *log;
    struct tsl_special_ids sp = special();
    uint64_t chosen[8], began[2];
    uint32_t shown[512];
    struct tsl_instance x;
    memdocs_init(&m);
    memdocs_make(&m, 3, 50, 9, 100, 10, 50000);
    assert_ok(tsl_instlog_create(&log, &sp, LEN, &err), &err);
    assert_ok(tsl_sample_init(&s, LEN, &err), &err);
    began[0] = rng;
    for (unsigned i = 0; i < MANY; i++) {
        draw(&m, &x, chosen, shown);
        assert_ok(tsl_instlog_put(log, &x, &err), &err);
    }
    assert_int_equal(tsl_instlog_count(log), MANY);
    uint64_t *order = tsl_instlog_order(log);
    for (unsigned i = 0; i < MANY / 2; i++) { /* turned around */
        uint64_t t = order[i];
        order[i] = order[MANY - 1 - i];
        order[MANY - 1 - i] = t;
    }
    rng = began[0];
    for (unsigned i = 0; i < MANY; i++) {
        struct tsl_doc da = { 0 }, db = { 0 };
        uint32_t k = 0;
        draw(&m, &x, chosen, shown);
        assert_ok(tsl_instlog_at(log, MANY - 1 - i, &m.docs, NULL, &s, &err), &err);
        memdocs_get(&m, x.a.doc, 0, &da, NULL);
        memdocs_get(&m, x.b.doc, 0, &db, NULL);
        assert_true(s.n == x.a.len + x.b.len + 3 && s.first == x.a.len + 2 &&
                    s.label == x.label);
        for (uint32_t j = 0; j < s.n; j++) {
            uint32_t b = j - s.first;
            uint32_t id = j == 0                             ? CLS
                          : j == s.first - 1 || j == s.n - 1 ? SEP
                          : j < s.first                      ? da.ids[x.a.at + j - 1]
                                                             : db.ids[x.b.at + b];
            if (chosen[j / 64] >> (j % 64) & 1) {
                assert_int_equal(s.places[k], j);
                assert_int_equal(s.targets[k++], id);
                assert_int_equal(s.ids[j], shown[j] == TSL_INSTANCE_KEPT ? id : shown[j]);
            } else
                assert_int_equal(s.ids[j], id);
        }
        assert_int_equal(k, s.nmasked);
    }
    tsl_sample_fini(&s);
    tsl_instlog_destroy(log);
    memdocs_fini(&m);
}

static void documents_that_changed_are_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct memdocs m;
    struct tsl_sample s;
    struct tsl_instlog *log;
    struct tsl_special_ids sp = special();
    uint64_t none[8] = { 0 };
    struct tsl_instance x = { { 0, 5000, 10 }, { 0, 0, 3 }, 0, none, NULL };
    memdocs_init(&m);
    memdocs_make(&m, 3, 1, 3, 10, 10, 500);
    assert_ok(tsl_instlog_create(&log, &sp, LEN, &err), &err);
    assert_ok(tsl_sample_init(&s, LEN, &err), &err);
    assert_ok(tsl_instlog_put(log, &x, &err), &err);
    assert_err(tsl_instlog_at(log, 0, &m.docs, NULL, &s, &err), TSL_EFORMAT, &err,
               "document 0");
    tsl_sample_fini(&s);
    tsl_instlog_destroy(log);
    memdocs_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(instances_come_back_in_any_order),
        TEST(documents_that_changed_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
