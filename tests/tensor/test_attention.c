#include "support/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/key.h"
#include "par/pool.h"
#include "support/opfixture.h"
#include "support/slowattention.h"
#include "tensor/attention.h"
#include "tensor/kernel_args.h"
#include "tensor/kernels.h"

/* ---- a problem with everything that belongs to it ---- */

struct shape {
    size_t batch, heads, tq, tk, dim, dim_v;
    enum tsl_attention_mask mask;
    bool lengths, docs, bias, packed;
    float drop;
};

struct problem {
    struct shape s;
    struct tsl_attention a;
    struct tsl_attention_grads g;
    size_t numbers; /* of each of the two blocks below */
    float *values, *grads;
    float *y, *lse, *dy, *bias, *dbias;
    int32_t *prefix, *sums, *lengths, *docs;
};

static float draw(const char *purpose, size_t i)
{
    struct tsl_key k = tsl_key_make(7, purpose);
    float sum = 0; /* of four uniform ones: bell enough */
    for (unsigned n = 0; n < 4; n++)
        sum += (float)(tsl_key_at(&k, 4 * i + n) >> 40) * 0x1p-24f - 0.5f;
    return sum * 1.7f;
}
static float *drawn(const char *purpose, size_t n)
{
    float *x = malloc((n + 1) * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = draw(purpose, i);
    return x;
}

static void place_all(struct problem *p)
{
    const struct shape *s = &p->s;
    size_t w = s->dim, wv = s->dim_v, nq = s->batch * s->heads * s->tq,
           nk = s->batch * s->heads * s->tk;
    size_t q = 0, k, v, row = s->heads * (2 * w + wv) + 3;
    if (s->packed) { /* q, k and v of a position side by side, and some space */
        k = s->heads * w;
        v = 2 * k;
        p->a.q_at = (struct tsl_attention_at){ s->tk * row, row, w };
        p->a.k_at = p->a.q_at;
        p->a.v_at = (struct tsl_attention_at){ s->tk * row, row, wv };
        p->numbers = s->batch * s->tk * row;
    } else {
        k = nq * w;
        v = k + nk * w;
        p->a.q_at = (struct tsl_attention_at){ s->heads * s->tq * w, w, s->tq * w };
        p->a.k_at = (struct tsl_attention_at){ s->heads * s->tk * w, w, s->tk * w };
        p->a.v_at = (struct tsl_attention_at){ s->heads * s->tk * wv, wv, s->tk * wv };
        p->numbers = v + nk * wv;
    }
    p->values = drawn("qkv", p->numbers);
    p->grads = drawn("rubbish", p->numbers);
    p->a.q = p->values + q;
    p->a.k = p->values + k;
    p->a.v = p->values + v;
    p->g.dq = p->grads + q;
    p->g.dk = p->grads + k;
    p->g.dv = p->grads + v;
    p->g.dq_at = p->a.q_at;
    p->g.dk_at = p->a.k_at;
    p->g.dv_at = p->a.v_at;
    p->a.y_at = (struct tsl_attention_at){ s->tq * s->heads * wv, s->heads * wv, wv };
    p->g.dy_at = p->a.y_at;
    p->a.y = p->y = drawn("rubbish", nq * wv);
    p->g.dy = p->dy = drawn("dy", nq * wv);
    p->a.lse = p->lse = drawn("rubbish", nq);
}

static void problem_init(struct problem *p, const struct shape *s)
{
    *p = (struct problem){ .s = *s };
    p->a = (struct tsl_attention){ .batch = s->batch,
                                   .heads = s->heads,
                                   .tq = s->tq,
                                   .tk = s->tk,
                                   .dim = s->dim,
                                   .dim_v = s->dim_v,
                                   .mask = s->mask,
                                   .drop = s->drop,
                                   .drop_key = 99,
                                   .scale = 1 / sqrtf((float)s->dim) };
    place_all(p);
    size_t n = s->batch * s->tk;
    p->prefix = calloc(s->batch + 1, sizeof(int32_t));
    p->lengths = calloc(s->batch + 1, sizeof(int32_t));
    p->sums = calloc(n + 1, sizeof(int32_t));
    p->docs = calloc(n + 1, sizeof(int32_t));
    struct tsl_key key = tsl_key_make(3, "whom one sees");
    for (size_t b = 0; b < s->batch; b++) {
        p->prefix[b] = (int32_t)tsl_key_below(&key, 4 * b, s->tk + 2);
        p->lengths[b] = b == 1 ? 0 : (int32_t)tsl_key_below(&key, 4 * b + 1, s->tk + 2);
        for (size_t j = 0, sum = 0, doc = 5; j < s->tk; j++) {
            size_t at = b * s->tk + j;
            sum += tsl_key_below(&key, 1000 + at, 3) == 0 && j > s->tk / 3;
            doc += tsl_key_below(&key, 90000 + at, 9) == 0;
            p->sums[at] = (int32_t)sum;
            p->docs[at] = (int32_t)(doc % 7);
        }
    }
    p->a.prefix = p->prefix;
    p->a.sums = p->sums;
    p->a.lengths = s->lengths ? p->lengths : NULL;
    p->a.docs = s->docs ? p->docs : NULL;
    if (s->bias) {
        p->bias = drawn("bias", s->heads * s->tq * s->tk);
        p->dbias = drawn("rubbish", s->heads * s->tq * s->tk);
        p->a.bias = p->bias;
        p->a.bias_head = s->tq * s->tk;
        p->g.dbias = p->dbias;
    }
}
static void problem_fini(struct problem *p)
{
    void *all[] = { p->values, p->grads, p->y,       p->lse,  p->dy,    p->bias,
                    p->dbias,  p->sums,  p->lengths, p->docs, p->prefix };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* nthreads 0: without a pool. */
static void problem_run(struct problem *p, const char *kernels, unsigned nthreads)
{
    struct tsl_err err = { 0 };
    struct tsl_pool *pool = NULL;
    if (nthreads)
        assert_ok(tsl_pool_create(&pool, nthreads, &err), &err);
    p->a.kernels = kernels ? tsl_kernels_named(kernels) : NULL;
    size_t bytes = tsl_attention_scratch_bytes(&p->a, nthreads ? nthreads : 1);
    char *scratch = aligned_alloc(64, (bytes + 127) / 64 * 64);
    memset(scratch, 0xff, bytes); /* NaN */
    memset(scratch + bytes, 0x5a, 64);
    tsl_attention_forward(&p->a, pool, scratch);
    tsl_attention_backward(&p->a, &p->g, pool, scratch);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(scratch[bytes + i], 0x5a);
    free(scratch);
    tsl_pool_destroy(pool);
}

/* ---- against three loops in double ---- */

static bool sees(const void *ctx, size_t b, size_t i, size_t j)
{
    const struct problem *p = ctx;
    const struct shape *s = &p->s;
    const int32_t *sums = p->sums + b * s->tk, *docs = p->docs + b * s->tk;
    if (s->mask == TSL_ATTENTION_CAUSAL && j > i)
        return false;
    if (s->mask == TSL_ATTENTION_PREFIX && j > i && (int32_t)j >= p->prefix[b])
        return false;
    if (s->mask == TSL_ATTENTION_UNILM && sums[j] > sums[i])
        return false;
    if (s->lengths && (int32_t)j >= p->lengths[b])
        return false;
    if (s->docs)
        for (size_t from = i < j ? i : j, to = i < j ? j : i; from < to; from++)
            if (docs[from] != docs[to])
                return false;
    return true;
}

/* By the kernels for dropout, which have tests of their own. */
static double keeps(const void *ctx, size_t b, size_t h, size_t i, size_t j)
{
    const struct problem *p = ctx;
    struct tsl_dropout d = tsl_dropout_make((double)p->s.drop, p->a.drop_key, 0);
    uint64_t bits, at = ((b * p->s.heads + h) * p->s.tq + i) * p->s.tk + j;
    tsl_kernels_named("ref")->dropout_kept(&bits, 1, &d, at);
    return bits & 1 ? (double)d.scale : 0;
}

static double *gathered(const struct problem *p, const float *x,
                        struct tsl_attention_at at, size_t t, size_t dim)
{
    size_t n = p->s.batch * p->s.heads * t * dim;
    double *to = malloc((n + 1) * sizeof *to), *out = to;
    for (size_t b = 0; b < p->s.batch; b++)
        for (size_t h = 0; h < p->s.heads; h++)
            for (size_t i = 0; i < t; i++)
                for (size_t k = 0; k < dim; k++)
                    *out++ = (double)x[b * at.batch + i * at.position + h * at.head + k];
    return to;
}
static double *room(size_t n)
{
    return calloc(n + 1, sizeof(double));
}
static double *doubles(const float *x, size_t n)
{
    double *to = room(n);
    for (size_t i = 0; x && i < n; i++)
        to[i] = (double)x[i];
    return to;
}
/* The largest difference, in parts of the largest number. */
static double apart(const double *a, const double *b, size_t n)
{
    double most = 0, size = 1e-3;
    for (size_t i = 0; i < n; i++) {
        if (a[i] == b[i])
            continue;
        most = fmax(most, fabs(a[i] - b[i]));
        size = fmax(size, fabs(b[i]));
        if (!isfinite(a[i]) || !isfinite(b[i]))
            return INFINITY;
    }
    return most / size;
}
static void check(const char *what, double *mine, double *want, size_t n, double bound)
{
    double far = apart(mine, want, n);
    if (!(far <= bound))
        fail_msg("%s: apart by %g", what, far);
    free(mine);
    free(want);
}

static void compare(const struct problem *p, double bound)
{
    const struct shape *s = &p->s;
    size_t nq = s->batch * s->heads * s->tq, nk = s->batch * s->heads * s->tk;
    size_t nbias = s->heads * s->tq * s->tk;
    double *q = gathered(p, p->a.q, p->a.q_at, s->tq, s->dim);
    double *k = gathered(p, p->a.k, p->a.k_at, s->tk, s->dim);
    double *v = gathered(p, p->a.v, p->a.v_at, s->tk, s->dim_v);
    double *dy = gathered(p, p->dy, p->g.dy_at, s->tq, s->dim_v);
    double *bias = s->bias ? doubles(p->bias, nbias) : NULL;
    struct slow_attention slow = { .batch = s->batch,
                                   .heads = s->heads,
                                   .tq = s->tq,
                                   .tk = s->tk,
                                   .dim = s->dim,
                                   .dim_v = s->dim_v,
                                   .q = q,
                                   .k = k,
                                   .v = v,
                                   .dy = dy,
                                   .scale = (double)p->a.scale,
                                   .bias = bias,
                                   .sees = sees,
                                   .keeps = s->drop > 0 ? keeps : NULL,
                                   .ctx = p,
                                   .y = room(nq * s->dim_v),
                                   .lse = room(nq),
                                   .dq = room(nq * s->dim),
                                   .dk = room(nk * s->dim),
                                   .dv = room(nk * s->dim_v),
                                   .dbias = room(nbias) };
    slow_attention_run(&slow);
    check("y", gathered(p, p->y, p->a.y_at, s->tq, s->dim_v), slow.y, nq * s->dim_v,
          bound);
    check("lse", doubles(p->lse, nq), slow.lse, nq, bound);
    check("dq", gathered(p, p->g.dq, p->g.dq_at, s->tq, s->dim), slow.dq, nq * s->dim,
          bound);
    check("dk", gathered(p, p->g.dk, p->g.dk_at, s->tk, s->dim), slow.dk, nk * s->dim,
          bound);
    check("dv", gathered(p, p->g.dv, p->g.dv_at, s->tk, s->dim_v), slow.dv, nk * s->dim_v,
          bound);
    if (s->bias)
        check("dbias", doubles(p->dbias, nbias), slow.dbias, nbias, bound);
    else
        free(slow.dbias);
    free(q);
    free(k);
    free(v);
    free(dy);
    free(bias);
}

static const struct shape shapes[] = {
    { 2, 3, 7, 7, 4, 4, TSL_ATTENTION_ALL, 0, 0, 0, 0, 0 },
    { 1, 1, 1, 1, 1, 1, TSL_ATTENTION_ALL, 0, 0, 1, 0, 0 },
    { 2, 2, 37, 53, 9, 21, TSL_ATTENTION_ALL, 1, 0, 1, 0, 0 },
    { 1, 2, 5, 70, 33, 16, TSL_ATTENTION_CAUSAL, 0, 0, 0, 0, 0 },
    { 3, 2, 67, 67, 16, 16, TSL_ATTENTION_CAUSAL, 1, 0, 0, 1, 0 },
    { 3, 1, 100, 100, 32, 48, TSL_ATTENTION_PREFIX, 0, 0, 0, 1, 0 },
    { 3, 2, 65, 65, 20, 20, TSL_ATTENTION_UNILM, 1, 0, 1, 1, 0 },
    { 3, 2, 130, 130, 64, 64, TSL_ATTENTION_ALL, 1, 1, 0, 1, 0 },
    { 2, 2, 129, 129, 17, 64, TSL_ATTENTION_CAUSAL, 1, 1, 1, 1, 0 },
    { 2, 1, 90, 90, 64, 80, TSL_ATTENTION_UNILM, 0, 1, 0, 1, 0 },
    { 1, 2, 300, 300, 8, 8, TSL_ATTENTION_PREFIX, 1, 0, 0, 1, 0 },
    { 2, 2, 64, 64, 16, 16, TSL_ATTENTION_ALL, 0, 0, 0, 1, 0.1f },
    { 2, 2, 33, 77, 8, 8, TSL_ATTENTION_ALL, 1, 0, 1, 0, 0.5f },
    { 1, 2, 150, 150, 24, 8, TSL_ATTENTION_CAUSAL, 1, 1, 0, 1, 0.3f },
    { 1, 3, 0, 5, 8, 8, TSL_ATTENTION_ALL, 0, 0, 0, 0, 0 },
    { 1, 3, 5, 0, 8, 8, TSL_ATTENTION_ALL, 0, 0, 1, 0, 0 },
    { 0, 3, 5, 5, 8, 8, TSL_ATTENTION_ALL, 0, 0, 1, 0, 0 },
};
enum { NSHAPES = sizeof shapes / sizeof *shapes };

static void attention_is_what_three_loops_in_double_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < NSHAPES; i++) {
        struct problem p;
        problem_init(&p, &shapes[i]);
        problem_run(&p, NULL, 0);
        compare(&p, 2e-6);
        problem_fini(&p);
    }
}

/* ---- the same bits ---- */

static bool same(const struct problem *a, const struct problem *b)
{
    const struct shape *s = &a->s;
    size_t nq = s->batch * s->heads * s->tq;
    return !memcmp(a->y, b->y, nq * s->dim_v * 4) && !memcmp(a->lse, b->lse, nq * 4) &&
           !memcmp(a->grads, b->grads, a->numbers * 4) &&
           (!s->bias || !memcmp(a->dbias, b->dbias, s->heads * s->tq * s->tk * 4));
}

static void every_processor_gives_the_same_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * NSHAPES; i++) {
        struct problem ref, p;
        problem_init(&ref, &shapes[i / 2]);
        ref.a.bf16 = i % 2;
        problem_run(&ref, "ref", 0);
        for (unsigned n = 0; n < 2; n++) {
            const char *name = n ? "avx512" : "avx2";
            if (!tsl_kernels_named(name))
                continue;
            problem_init(&p, &shapes[i / 2]);
            p.a.bf16 = i % 2;
            problem_run(&p, name, 0);
            assert_true(same(&ref, &p));
            problem_fini(&p);
        }
        problem_fini(&ref);
    }
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    static const unsigned counts[] = { 1, 2, 3, 5 };
    (void)state;
    for (size_t i = 0; i < NSHAPES; i++) {
        struct problem one, p;
        problem_init(&one, &shapes[i]);
        problem_run(&one, NULL, 0);
        for (unsigned n = 0; n < 4; n++) {
            problem_init(&p, &shapes[i]);
            problem_run(&p, NULL, counts[n]);
            assert_true(same(&one, &p));
            problem_fini(&p);
        }
        problem_fini(&one);
    }
}

/* ---- against what others computed ---- */

enum {
    FIX_B = 2,
    FIX_A = 3,
    FIX_T = 7,
    FIX_D = 4,
    FIX_N = FIX_B * FIX_A * FIX_T * FIX_D
};

static void fixture_is_met(const char *op, enum tsl_attention_mask mask)
{
    static const int32_t lengths[FIX_B] = { 7, 5 };
    float q[OPFIXTURE_MAX], k[OPFIXTURE_MAX], v[OPFIXTURE_MAX], dy[OPFIXTURE_MAX];
    float y[FIX_N], dq[FIX_N], dk[FIX_N], dv[FIX_N], bias[OPFIXTURE_MAX],
        dbias[FIX_A * FIX_T * FIX_T], lse[FIX_B * FIX_A * FIX_T];
    int32_t sums[FIX_B * FIX_T] = { 0 };
    struct tsl_attention_at at = { FIX_A * FIX_T * FIX_D, FIX_D, FIX_T * FIX_D };
    struct tsl_attention a = { FIX_B,        FIX_A,       FIX_T,      FIX_T,
                               FIX_D,        FIX_D,       .q = q,     .k = k,
                               .v = v,       .q_at = at,  .k_at = at, .v_at = at,
                               .y_at = at,   .y = y,      .lse = lse, .scale = 0.5f,
                               .mask = mask, .sums = sums };
    struct tsl_attention_grads g = { dy, dq, dk, dv, at, at, at, at, NULL };
    opfixture_floats(op, "q", q);
    opfixture_floats(op, "k", k);
    opfixture_floats(op, "v", v);
    opfixture_floats(op, "dy", dy);
    if (mask == TSL_ATTENTION_UNILM) {
        float segment[OPFIXTURE_MAX];
        opfixture_floats(op, "segment", segment);
        for (size_t i = 0; i < FIX_B * FIX_T; i++)
            sums[i] = (int32_t)segment[i] + (i % FIX_T ? sums[i - 1] : 0);
    } else if (mask == TSL_ATTENTION_ALL)
        a.lengths = lengths;
    if (!strcmp(op, "attention_bias")) {
        opfixture_floats(op, "bias", bias);
        a.bias = bias;
        a.bias_head = FIX_T * FIX_T;
        g.dbias = dbias;
    }
    void *scratch = aligned_alloc(64, tsl_attention_scratch_bytes(&a, 1));
    tsl_attention_forward(&a, NULL, scratch);
    tsl_attention_backward(&a, &g, NULL, scratch);
    free(scratch);
    opfixture_is(op, "y", y, 1e-6);
    opfixture_is(op, "dq", dq, 1e-6);
    opfixture_is(op, "dk", dk, 1e-6);
    opfixture_is(op, "dv", dv, 1e-6);
    if (a.bias)
        opfixture_is(op, "dbias", dbias, 1e-6);
}

static void forward_and_gradients_are_those_of_the_fixtures(void **state)
{
    (void)state;
    fixture_is_met("attention_padding", TSL_ATTENTION_ALL);
    fixture_is_met("attention_causal", TSL_ATTENTION_CAUSAL);
    fixture_is_met("attention_unilm", TSL_ATTENTION_UNILM);
    fixture_is_met("attention_bias", TSL_ATTENTION_ALL);
}

/* ---- forward and backward are of one function ---- */

/* The sum of y times dy, which backward has the gradients of. */
static double total(struct problem *p, void *scratch)
{
    double sum = 0;
    tsl_attention_forward(&p->a, NULL, scratch);
    for (size_t i = 0; i < p->s.batch * p->s.heads * p->s.tq * p->s.dim_v; i++)
        sum += (double)p->y[i] * (double)p->dy[i];
    return sum;
}
static double slope(struct problem *p, float *x, void *scratch)
{
    const float step = 0x1p-7f, was = *x;
    *x = was + step;
    double up = total(p, scratch);
    *x = was - step;
    double down = total(p, scratch);
    *x = was;
    return (up - down) / (2 * (double)step);
}

static void gradients_are_slopes_with_the_same_numbers_dropped(void **state)
{
    static const struct shape s = { 2, 2, 9, 9, 5,   6, TSL_ATTENTION_CAUSAL,
                                    1, 0, 1, 1, 0.3f };
    struct problem p;
    (void)state;
    problem_init(&p, &s);
    p.a.lengths = NULL;
    problem_run(&p, NULL, 0);
    void *scratch = aligned_alloc(64, tsl_attention_scratch_bytes(&p.a, 1));
    for (size_t n = 0; n < 60; n++) {
        size_t i = n * 37 % p.numbers;
        if (i % (p.numbers / s.batch / s.tk) >= s.heads * (2 * s.dim + s.dim_v))
            continue; /* between two rows */
        double far = fabs(slope(&p, &p.values[i], scratch) - (double)p.grads[i]);
        assert_true(far < 2e-3);
    }
    for (size_t i = 0; i < s.heads * s.tq * s.tk; i += 11)
        assert_true(fabs(slope(&p, &p.bias[i], scratch) - (double)p.dbias[i]) < 2e-3);
    free(scratch);
    problem_fini(&p);
}

static void a_query_that_sees_no_key_gives_zeros(void **state)
{
    static const struct shape s = {
        2, 1, 40, 40, 8, 8, TSL_ATTENTION_ALL, 1, 0, 1, 1, 0
    };
    struct problem p;
    (void)state;
    problem_init(&p, &s);
    for (size_t j = 0; j < s.tk; j++)
        p.bias[3 * s.tk + j] =
            -INFINITY; /* row 3 by its bias, the second batch by length */
    problem_run(&p, NULL, 0);
    assert_int_equal(p.lengths[1], 0);
    for (size_t i = 0; i < 2 * s.tq; i++)
        for (size_t c = 0; c < s.dim_v && (i == 3 || i >= s.tq); c++) {
            assert_true(p.lse[i] == -INFINITY);
            assert_true(p.y[i * s.dim_v + c] == 0);
            assert_true(
                p.g.dq[i / s.tq * p.a.q_at.batch + i % s.tq * p.a.q_at.position + c] ==
                0);
        }
    for (size_t i = 0; i < p.numbers; i++)
        assert_true(isfinite(p.grads[i]));
    problem_fini(&p);
}

static void a_number_that_is_none_comes_through(void **state)
{
    static const struct shape s = {
        1, 1, 20, 20, 8, 8, TSL_ATTENTION_ALL, 0, 0, 0, 1, 0
    };
    struct problem p;
    (void)state;
    problem_init(&p, &s);
    p.values[7 * p.a.q_at.position] = NAN; /* in query 7 */
    problem_run(&p, NULL, 0);
    for (size_t c = 0; c < s.dim_v; c++) {
        assert_true(isnan(p.y[7 * s.dim_v + c]));
        assert_true(isfinite(p.y[8 * s.dim_v + c]));
    }
    problem_fini(&p);
}

static void rounded_factors_are_nearly_the_same(void **state)
{
    (void)state;
    for (size_t i = 1; i < 11; i++) {
        struct problem p;
        problem_init(&p, &shapes[i]);
        p.a.bf16 = true;
        problem_run(&p, NULL, 0);
        compare(&p, 2e-2);
        problem_fini(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(attention_is_what_three_loops_in_double_say),
        TEST(every_processor_gives_the_same_bits),
        TEST(any_number_of_threads_gives_the_same_bits),
        TEST(forward_and_gradients_are_those_of_the_fixtures),
        TEST(gradients_are_slopes_with_the_same_numbers_dropped),
        TEST(a_query_that_sees_no_key_gives_zeros),
        TEST(a_number_that_is_none_comes_through),
        TEST(rounded_factors_are_nearly_the_same),
    };
    return cmocka_run_group_tests_name("attention", tests, NULL, NULL);
}
