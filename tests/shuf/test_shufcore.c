/* The shuffle against a plain sort of the keys. */
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shuf/shufcore.h"
#include "support/fault.h"
#include "support/gendata.h"

static const char *const here[] = { "." };

struct keyed {
    uint64_t key;
    const struct rowlist_row *row;
    const uint8_t *p;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->row->addr < y->row->addr ? -1 : x->row->addr > y->row->addr;
}

/* The rows of in, by key and address; equal ones but the first dropped, where that is
 * asked. */
static void slow_shuffle(struct rowlist *out, const struct rowlist *in,
                         const struct tsl_shufcore_opts *o)
{
    struct keyed *v = malloc((in->nrows + 1) * sizeof *v);
    struct tsl_key k =
        tsl_key_make(o->seed, o->by_content ? "shuffle contents" : "shuffle rows");
    size_t n = 0;
    for (size_t i = 0; i < in->nrows; i++) {
        const struct rowlist_row *r = &in->rows[i];
        const uint8_t *p = in->bytes + r->at;
        bool again = false;
        for (size_t j = 0; j < n && o->by_content && !again; j++)
            again = v[j].row->len == r->len && memcmp(v[j].p, p, r->len) == 0;
        uint64_t key = o->by_content ? tsl_key_at128(&k, tsl_hash128(p, r->len))
                                     : tsl_key_at(&k, r->addr);
        if (!again)
            v[n++] = (struct keyed){ key & o->key_mask, r, p };
    }
    qsort(v, n, sizeof *v, by_key);
    for (size_t i = 0; i < n; i++)
        rowlist_add(out, 0, v[i].p, v[i].row->len);
    free(v);
}

struct sink {
    struct rowlist *out;
};

static int take(void *ctx, size_t part, const uint8_t *p, size_t n, struct tsl_err *err)
{
    struct sink *s = ctx;
    (void)part, (void)err;
    rowlist_bytes(s->out, p, n);
    return 0;
}

/* All rows through the core, by nscatters scatters in turn. */
static int shuffle(struct rowlist *out, const struct rowlist *in,
                   const struct tsl_shufcore_opts *o, const struct tsl_shufplan *plan,
                   unsigned nscatters, uint64_t *splits, struct tsl_err *err)
{
    struct tsl_shufcore c;
    struct tsl_scatter s[3] = { 0 };
    struct tsl_gather g = { 0 };
    struct tsl_bucket *b;
    size_t head = tsl_frame_head(&o->frame), tail = tsl_frame_tail(&o->frame);
    int rc = tsl_shufcore_init(&c, o, plan, err);
    for (unsigned i = 0; i < nscatters && rc == 0; i++)
        rc = tsl_shufcore_scatter(&c, &s[i], err);
    for (size_t i = 0; i < in->nrows && rc == 0; i++) {
        const struct rowlist_row *r = &in->rows[i];
        const uint8_t *p = in->bytes + r->at;
        struct tsl_u128 content = tsl_hash128(p, r->len);
        uint64_t key = tsl_shufcore_key(&c, r->addr, content);
        rc = tsl_shufcore_put(&c, &s[i % nscatters], key, r->addr, p, r->len,
                              tsl_hash_row(p, r->len, false), false, err);
    }
    for (unsigned i = 0; i < nscatters && rc == 0; i++)
        rc = tsl_scatter_finish(&s[i], err);
    if (rc == 0)
        rc = tsl_shufcore_begin_output(&c, 0, 0, 1, err);
    if (rc == 0)
        rc = tsl_gather_init(&g, &c.gather, c.gather_bytes, err);
    uint64_t dropped = 0, stored = rc == 0 ? tsl_shufcore_stored(&c).rows : 0;
    while (rc == 0 && (rc = tsl_shufcore_next(&c, &b, err)) == 1) {
        rc = tsl_gather_run(&g, b, true, err);
        if (rc < 0)
            break;
        dropped += g.dropped.rows;
        size_t gap = 0;
        for (size_t i = 0; i < g.nrows && rc == 0; i++) {
            size_t start = i ? g.ends[0][i - 1] : 0, at = out->len;
            size_t len = g.ends[0][i] - start - head - tail;
            rowlist_bytes(out, g.image[0] + start + head, len);
            if (gap < g.ngaps && g.gaps[gap].row == i) {
                struct sink to = { out };
                rc = len ? TSL_EVERIFY
                         : tsl_bigrows_stream(&c.bigs, g.gaps[gap++].id, false, take, &to,
                                              err);
            }
            rowlist_place(out, 0, at, out->len - at);
        }
        tsl_shufcore_drop(&c, b);
    }
    if (rc == 0 && out->nrows + dropped + c.dropped.rows != stored)
        rc = tsl_err_set(err, TSL_EVERIFY, "rows were lost");
    *splits = c.splits;
    for (unsigned i = 0; i < nscatters; i++)
        if (s[i].store)
            tsl_scatter_fini(&s[i]);
    if (g.memory)
        tsl_gather_fini(&g);
    tsl_shufcore_fini(&c);
    return rc;
}

static void gen_list(struct rowlist *l, uint64_t seed, size_t nrows, size_t longest,
                     unsigned different)
{
    struct gen g = { seed };
    uint8_t *p = malloc(longest + 120);
    uint64_t addr = 0;
    for (size_t i = 0; i < nrows; i++) {
        struct gen of_row = { different ? gen_below(&g, different) : gen_u64(&g) };
        size_t len = gen_below(&of_row, gen_below(&of_row, 200) ? 120 : longest + 1);
        gen_bytes(&of_row, p, len);
        rowlist_add(l, addr, p, len);
        addr += len + 1;
    }
    free(p);
}

static struct tsl_shufcore_opts core_opts(uint64_t seed)
{
    return (struct tsl_shufcore_opts){
        .seed = seed,
        .frame = { TSL_FRAME_LINE, 0 },
        .nparts = 1,
        .want_ends = true,
        .verify = true,
        .key_mask = UINT64_MAX,
        .dirs = here,
        .ndirs = 1,
        .head = UINT64_MAX,
        .cut = UINT64_MAX,
    };
}

static void compare(const struct rowlist *in, const struct tsl_shufcore_opts *o,
                    const struct tsl_shufplan *plan, unsigned nscatters, bool must_split)
{
    struct rowlist slow = { 0 }, fast = { 0 };
    struct tsl_err err = { 0 };
    uint64_t splits;
    slow_shuffle(&slow, in, o);
    assert_ok(shuffle(&fast, in, o, plan, nscatters, &splits, &err), &err);
    assert_int_equal(fast.nrows, slow.nrows);
    assert_true(rowlist_equal(&slow, &fast));
    if (must_split)
        assert_true(splits > 0);
    assert_true(folder_is_empty("."));
    rowlist_free(&slow);
    rowlist_free(&fast);
}

static struct tsl_shufplan make_plan(uint64_t memory, uint64_t input)
{
    struct tsl_shufplan_in in = { memory, 1, 1, input };
    return tsl_shufplan_make(&in);
}

static void rows_come_out_by_key_and_address(void **state)
{
    (void)state;
    for (uint64_t memory = 256 << 10; memory <= 4 << 20; memory *= 4)
        for (unsigned scatters = 1; scatters <= 3; scatters++) {
            struct rowlist in = { 0 };
            struct tsl_shufcore_opts o = core_opts(scatters);
            struct tsl_shufplan plan = make_plan(memory, scatters == 1 ? 0 : 1 << 20);
            gen_list(&in, memory, 15000, 30000, 0);
            plan.nthreads = scatters;
            if (scatters < 3 ||
                memory > 1 << 20) /* chunks being filled are of the plan */
                compare(&in, &o, &plan, plan.nthreads, false);
            rowlist_free(&in);
        }
}

static void few_rows_come_out_by_key_and_address(void **state)
{
    struct tsl_shufplan plan = make_plan(256 << 10, 0);
    (void)state;
    for (size_t n = 0; n < 12; n++) {
        struct rowlist in = { 0 };
        struct tsl_shufcore_opts o = core_opts(n);
        gen_list(&in, n, n, 10000, 0);
        compare(&in, &o, &plan, 1, false);
        rowlist_free(&in);
    }
}

static void buckets_too_large_are_split(void **state)
{
    (void)state;
    for (unsigned log = 0; log <= 3; log++) {
        struct rowlist in = { 0 };
        struct tsl_shufcore_opts o = core_opts(log);
        struct tsl_shufplan plan = make_plan(256 << 10, 0);
        plan.log_buckets = log; /* as if the input had been taken for a small one */
        gen_list(&in, log, 60000, 9000, 0);
        compare(&in, &o, &plan, 1, log < 3);
        o.temp_codec = TSL_CODEC_ZSTD;
        o.temp_level = 1;
        compare(&in, &o, &plan, 1, log < 3);
        rowlist_free(&in);
    }
}

/* Keys of which only some bits are left: rows that agree in them come by their address.
 */
static void ties_are_broken_by_address(void **state)
{
    static const uint64_t masks[] = { 0,
                                      UINT64_C(0xff) << 56,
                                      UINT64_C(0xffff) << 48,
                                      UINT64_C(0xffffffffff) << 24,
                                      UINT64_C(0xfff) << 30,
                                      0xffffff,
                                      1,
                                      UINT64_C(1) << 63,
                                      ~UINT64_C(0xffffff) };
    (void)state;
    for (size_t m = 0; m < sizeof masks / sizeof *masks; m++)
        for (unsigned scatters = 1; scatters <= 2; scatters++) {
            struct rowlist in = { 0 };
            struct tsl_shufcore_opts o = core_opts(3);
            struct tsl_shufplan plan = make_plan(4 << 20, 0);
            o.key_mask = masks[m];
            /* rows of no bytes share their place in a chunk */
            gen_list(&in, m, 3000, m % 2 ? 8000 : 300, 0);
            for (size_t i = 0; i < in.nrows; i += 3)
                in.rows[i].len = 0;
            compare(&in, &o, &plan, scatters, false);
            rowlist_free(&in);
        }
}

static void one_key_for_more_rows_than_memory_is_an_error(void **state)
{
    struct rowlist in = { 0 }, out = { 0 };
    struct tsl_err err = { 0 };
    struct tsl_shufcore_opts o = core_opts(1);
    struct tsl_shufplan plan = make_plan(256 << 10, 0);
    uint64_t splits;
    (void)state;
    o.key_mask = 0;
    gen_list(&in, 1, 20000, 100, 0);
    assert_err(shuffle(&out, &in, &o, &plan, 1, &splits, &err), TSL_ENOMEM, &err,
               "share one key");
    rowlist_free(&in);
    rowlist_free(&out);
}

static void by_content_equal_rows_come_once(void **state)
{
    static const unsigned different[] = { 1, 2, 50, 1000 };
    (void)state;
    for (size_t d = 0; d < 4; d++)
        for (uint64_t memory = 256 << 10; memory <= 4 << 20; memory *= 16)
            for (int mask = 0; mask < 2; mask++) {
                struct rowlist in = { 0 };
                struct tsl_shufcore_opts o = core_opts(d);
                struct tsl_shufplan plan = make_plan(memory, 0);
                o.by_content = true;
                /* with ties, too: different rows of one key stay apart */
                o.key_mask = mask ? UINT64_C(0xf) << 60 : UINT64_MAX;
                gen_list(&in, d, 4000, 20000, different[d]);
                compare(&in, &o, &plan, 1, false);
                rowlist_free(&in);
            }
}

static void a_row_that_makes_up_most_of_the_input_is_no_trouble(void **state)
{
    struct rowlist in = { 0 };
    struct tsl_shufcore_opts o = core_opts(1);
    struct tsl_shufplan plan = make_plan(256 << 10, 0);
    (void)state;
    plan.log_buckets = 1;
    o.by_content = true;
    for (uint64_t i = 0; i < 60000; i++) {
        char p[80];
        int n = i % 50 ? sprintf(p, "%070d", 0) : sprintf(p, "%d", (int)i);
        rowlist_add(&in, i * 100, p, (size_t)n);
    }
    compare(&in, &o, &plan, 1, true);
    rowlist_free(&in);
}

static void frames_do_not_change_the_order(void **state)
{
    static const struct tsl_frame frames[] = { { TSL_FRAME_LINE, 0 },
                                               { TSL_FRAME_NUL, 0 },
                                               { TSL_FRAME_PARA, 0 },
                                               { TSL_FRAME_U32, 0 } };
    struct rowlist in = { 0 };
    (void)state;
    gen_list(&in, 4, 3000, 20000, 0);
    for (int k = 0; k < 4; k++) {
        struct tsl_shufcore_opts o = core_opts(1);
        struct tsl_shufplan plan = make_plan(1 << 20, 0);
        o.frame = frames[k];
        compare(&in, &o, &plan, 1, false);
    }
    rowlist_free(&in);
}

/* The cut never falls below what the head needs, and falls as rows come. */
static void the_head_s_cut_keeps_the_smallest_keys(void **state)
{
    (void)state;
    for (uint64_t head = 1; head < 3000; head = head * 4 + 1) {
        struct tsl_shufcore c;
        struct tsl_err err = { 0 };
        struct tsl_shufcore_opts o = core_opts(head);
        struct tsl_shufplan plan = make_plan(1 << 20, 0);
        uint64_t *bins = calloc(TSL_CUT_BINS, sizeof *bins), below = 0, below_before = 0,
                 n = 50000;
        uint64_t *keys = malloc(n * sizeof *keys), before = UINT64_MAX;
        o.head = head;
        assert_ok(tsl_shufcore_init(&c, &o, &plan, &err), &err);
        for (uint64_t i = 0; i < n; i++) {
            keys[i] = tsl_shufcore_key(&c, i * 10, (struct tsl_u128){ 0, 0 });
            if (!tsl_shufcore_wants(&c, keys[i]))
                continue;
            assert_true(tsl_cut_bin(keys[i]) < TSL_CUT_BINS);
            bins[tsl_cut_bin(keys[i])]++;
            if (i % 1000 == 999)
                tsl_shufcore_lower_cut(&c, bins);
            uint64_t now = atomic_load(&c.cut);
            assert_true(now <= before);
            before = now;
        }
        tsl_shufcore_lower_cut(&c, bins);
        for (uint64_t i = 0; i < n; i++) {
            below += tsl_shufcore_wants(&c, keys[i]);
            below_before += keys[i] < atomic_load(&c.cut) / 2;
        }
        assert_true(below >= head);
        assert_true(below <= head + head / 10 + 40); /* and not many more */
        assert_true(below_before < head);
        free(bins);
        free(keys);
        tsl_shufcore_fini(&c);
    }
}

static void bins_of_keys_are_in_order(void **state)
{
    struct gen g = { 1 };
    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t a = gen_u64(&g) >> gen_below(&g, 64),
                 b = gen_u64(&g) >> gen_below(&g, 64);
        if (a < b)
            assert_true(tsl_cut_bin(a) <= tsl_cut_bin(b));
        assert_true(tsl_cut_bin(a) < TSL_CUT_BINS);
    }
    assert_int_equal(tsl_cut_bin(0), 0);
    assert_true(tsl_cut_bin(UINT64_MAX) < TSL_CUT_BINS);
}

static void any_failure_is_told(void **state)
{
    struct rowlist in = { 0 };
    struct tsl_shufplan plan = make_plan(256 << 10, 0);
    struct rowlist slow = { 0 };
    struct tsl_shufcore_opts o = core_opts(1);
    (void)state;
    plan.log_buckets = 1;
    gen_list(&in, 5, 12000, 9000, 0);
    slow_shuffle(&slow, &in, &o);
    for (unsigned nth = 1;; nth = fault_next(nth) + nth / 20) {
        struct rowlist out = { 0 };
        struct tsl_err err = { 0 };
        uint64_t splits;
        /* the lists of this test grow by realloc, too: it is tried below, in
         * test_shuffler.c */
        fault_arm(nth, "calloc mmap pthread_create open fstat pwritev preadv");
        int rc = shuffle(&out, &in, &o, &plan, 1, &splits, &err);
        const char *call = fault_disarm();
        assert_true(folder_is_empty("."));
        if (rc == 0)
            assert_true(rowlist_equal(&slow, &out));
        else
            assert_true(err.code != 0 && err.msg[0]);
        rowlist_free(&out);
        if (!call) {
            assert_ok(rc, &err);
            assert_true(splits > 0);
            break;
        }
        assert_true(rc < 0 || fault_is_harmless(call));
    }
    rowlist_free(&in);
    rowlist_free(&slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_come_out_by_key_and_address),
        TEST(few_rows_come_out_by_key_and_address),
        TEST(buckets_too_large_are_split),
        TEST(ties_are_broken_by_address),
        TEST(one_key_for_more_rows_than_memory_is_an_error),
        TEST(by_content_equal_rows_come_once),
        TEST(a_row_that_makes_up_most_of_the_input_is_no_trouble),
        TEST(frames_do_not_change_the_order),
        TEST(the_head_s_cut_keeps_the_smallest_keys),
        TEST(bins_of_keys_are_in_order),
        TEST(any_failure_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
