/* The row kernels of every table against plain loops in double, their gradients against
 * differences, and each other bit by bit. */
#include <math.h>
#include <stdio.h>

#include "support/kernelset.h"
#include "support/opfixture.h"

enum { ROWS = 3, COLS_MAX = 67, N = ROWS * COLS_MAX, NKINDS = 6 };

/* What goes in, and what each kernel makes of it. */
struct in {
    size_t cols;
    float x[N], h[N], dy[N], w[COLS_MAX], b[COLS_MAX], eps, smoothing;
    int32_t labels[ROWS];
    struct tsl_dropout drop;
};
struct out {
    float y[N], sum[N], dx[N], dh[N], dw[COLS_MAX], db[COLS_MAX];
    float mean[ROWS], rstd[ROWS], loss[ROWS], stats[2 * ROWS];
};

static struct in input(size_t cols, uint64_t seed)
{
    struct in in = { .cols = cols, .eps = 1e-5f, .smoothing = 0.1f };
    kernelset_fill(in.x, N, seed, 3);
    kernelset_fill(in.h, N, seed + 1, 2);
    kernelset_fill(in.dy, N, seed + 2, 1);
    kernelset_fill(in.w, COLS_MAX, seed + 3, 2);
    kernelset_fill(in.b, COLS_MAX, seed + 4, 1);
    for (size_t r = 0; r < ROWS; r++)
        in.labels[r] = r == 1 ? -100 : (int32_t)(7 * r % cols);
    in.drop = tsl_dropout_make(0.25, seed, 5);
    return in;
}

typedef void run(const struct tsl_kernels *k, const struct in *in, struct out *o);

static void softmax(const struct tsl_kernels *k, const struct in *in, struct out *o)
{
    k->softmax(o->y, in->x, ROWS, in->cols);
    k->softmax_grad(o->dx, in->dy, o->y, false, ROWS, in->cols);
}
static void log_softmax(const struct tsl_kernels *k, const struct in *in, struct out *o)
{
    k->log_softmax(o->y, in->x, ROWS, in->cols);
    k->log_softmax_grad(o->dx, in->dy, o->y, false, ROWS, in->cols);
}
static void cross_entropy(const struct tsl_kernels *k, const struct in *in, struct out *o)
{
    memcpy(o->dx, in->x, sizeof o->dx);
    k->cross_entropy(o->loss, o->stats, in->x, in->labels, in->smoothing, ROWS, in->cols);
    k->cross_entropy_grad(o->dx, o->dx, o->stats, in->labels, in->smoothing, 0.5f, ROWS,
                          in->cols);
}
static void layernorm(const struct tsl_kernels *k, const struct in *in, struct out *o)
{
    k->layernorm(o->y, o->mean, o->rstd, in->x, in->w, in->b, in->eps, ROWS, in->cols);
    k->layernorm_grad(o->dx, o->dw, o->db, in->dy, in->x, o->mean, o->rstd, in->w, false,
                      ROWS, in->cols);
}
static void rmsnorm(const struct tsl_kernels *k, const struct in *in, struct out *o)
{
    k->rmsnorm(o->y, o->rstd, in->x, in->w, in->eps, ROWS, in->cols);
    k->rmsnorm_grad(o->dx, o->dw, in->dy, in->x, o->rstd, in->w, false, ROWS, in->cols);
}
static void residual_norm(const struct tsl_kernels *k, const struct in *in, struct out *o)
{
    k->residual_norm(o->y, o->sum, o->mean, o->rstd, in->x, in->h, &in->drop, 1000, in->w,
                     in->b, in->eps, ROWS, in->cols);
    k->residual_norm_grad(o->dx, o->dh, o->dw, o->db, in->dy, o->sum, o->mean, o->rstd,
                          &in->drop, 1000, in->w, false, ROWS, in->cols);
}
static run *const kinds[NKINDS] = { softmax,   log_softmax, cross_entropy,
                                    layernorm, rmsnorm,     residual_norm };

/* ---- the same in double --------------------------------------------------------------- */

/* What dy weighs the outputs with: the scalar whose gradient the kernels give. */
static double weighed(const struct in *in, const double *y)
{
    double sum = 0;
    for (size_t i = 0; i < ROWS * in->cols; i++)
        sum += y[i] * (double)in->dy[i];
    return sum;
}
static double slow_softmax(const struct in *in, const double *x, const double *h,
                           const double *w, const double *b, bool logs, double *y)
{
    (void)h, (void)w, (void)b;
    size_t n = in->cols;
    for (size_t r = 0; r < ROWS; r++) {
        double top = x[r * n], sum = 0;
        for (size_t i = 1; i < n; i++)
            top = fmax(top, x[r * n + i]);
        for (size_t i = 0; i < n; i++)
            sum += exp(x[r * n + i] - top);
        for (size_t i = 0; i < n; i++) {
            double l = x[r * n + i] - top - log(sum);
            y[r * n + i] = logs ? l : exp(l);
        }
    }
    return weighed(in, y);
}
static double slow_entropy(const struct in *in, const double *x, double *loss)
{
    double logs[N], sum = 0;
    size_t n = in->cols;
    slow_softmax(in, x, NULL, NULL, NULL, true, logs);
    for (size_t r = 0; r < ROWS; r++) {
        loss[r] = 0;
        if (in->labels[r] < 0)
            continue;
        double mean = 0;
        for (size_t i = 0; i < n; i++)
            mean -= logs[r * n + i] / (double)n;
        loss[r] = (1 - (double)in->smoothing) * -logs[r * n + (size_t)in->labels[r]] +
                  (double)in->smoothing * mean;
        sum += 0.5 * loss[r];
    }
    return sum;
}
static double slow_norm(const struct in *in, const double *x, const double *h,
                        const double *w, const double *b, bool rms, bool residual,
                        double *y)
{
    size_t n = in->cols;
    uint64_t kept[(N + 63) / 64];
    tsl_kernels_named("ref")->dropout_kept(kept, N, &in->drop, 1000);
    for (size_t r = 0; r < ROWS; r++) {
        double s[COLS_MAX], mean = 0, var = 0;
        for (size_t i = 0; i < n; i++) {
            size_t at = r * n + i;
            s[i] = x[at];
            if (residual && kept[at / 64] >> at % 64 & 1)
                s[i] += h[at] / 0.75;
            mean += rms ? 0 : s[i] / (double)n;
        }
        for (size_t i = 0; i < n; i++)
            var += (s[i] - mean) * (s[i] - mean) / (double)n;
        for (size_t i = 0; i < n; i++)
            y[r * n + i] =
                (s[i] - mean) / sqrt(var + (double)in->eps) * w[i] + (rms ? 0 : b[i]);
    }
    return weighed(in, y);
}
static double slow(size_t kind, const struct in *in, const double *x, const double *h,
                   const double *w, const double *b, double *y)
{
    switch (kind) {
    case 0: return slow_softmax(in, x, h, w, b, false, y);
    case 1: return slow_softmax(in, x, h, w, b, true, y);
    case 2: return slow_entropy(in, x, y);
    case 3: return slow_norm(in, x, h, w, b, false, false, y);
    case 4: return slow_norm(in, x, h, w, b, true, false, y);
    default: return slow_norm(in, x, h, w, b, false, true, y);
    }
}

static void near(const char *what, size_t kind, size_t cols, size_t i, double got,
                 double want, double bound)
{
    if (!(fabs(got - want) <= bound * (1 + fabs(want))))
        fail_msg("kind %zu, %zu columns: %s[%zu] is %.9g, not %.9g", kind, cols, what, i,
                 got, want);
}
/* got[n] is the gradient of slow by v, one of its arguments. */
static void differences(size_t kind, const struct in *in, double *const v[4],
                        unsigned which, const float *got, size_t n, const char *what)
{
    double y[N];
    for (size_t i = 0; i < n; i++) {
        double keep = v[which][i], step = 1e-5;
        v[which][i] = keep + step;
        double up = slow(kind, in, v[0], v[1], v[2], v[3], y);
        v[which][i] = keep - step;
        double down = slow(kind, in, v[0], v[1], v[2], v[3], y);
        v[which][i] = keep;
        near(what, kind, in->cols, i, got[i], (up - down) / (2 * step), 4e-6);
    }
}
static void rows_are_what_the_formulas_say(void **state)
{
    (void)state;
    size_t ntables;
    const struct tsl_kernels *const *k = kernelset(&ntables);
    for (size_t cols = 5; cols <= COLS_MAX; cols += 31)
        for (size_t kind = 0; kind < NKINDS; kind++) {
            struct in in = input(cols, cols);
            struct out o = { 0 };
            kinds[kind](k[ntables - 1], &in, &o);
            double x[N], h[N], w[COLS_MAX], b[COLS_MAX], y[N], *v[4] = { x, h, w, b };
            for (size_t i = 0; i < N; i++)
                x[i] = (double)in.x[i], h[i] = (double)in.h[i];
            for (size_t i = 0; i < COLS_MAX; i++)
                w[i] = (double)in.w[i], b[i] = (double)in.b[i];
            slow(kind, &in, x, h, w, b, y);
            const float *got = kind == 2 ? o.loss : o.y;
            for (size_t i = 0; i < (kind == 2 ? ROWS : ROWS * cols); i++)
                near("y", kind, cols, i, (double)got[i], y[i], 1e-6);
            differences(kind, &in, v, 0, o.dx, ROWS * cols, "dx");
            if (kind >= 3)
                differences(kind, &in, v, 2, o.dw, cols, "dw");
            if (kind == 3 || kind == 5)
                differences(kind, &in, v, 3, o.db, cols, "db");
            if (kind == 5)
                differences(kind, &in, v, 1, o.dh, ROWS * cols, "dh");
        }
}

static void every_table_gives_the_same_bits(void **state)
{
    (void)state;
    size_t ntables;
    const struct tsl_kernels *const *k = kernelset(&ntables);
    for (size_t cols = 1; cols <= COLS_MAX; cols++)
        for (size_t kind = 0; kind < NKINDS; kind++) {
            struct in in = input(cols, 100 + cols);
            in.x[cols / 2] = cols % 3 ? in.x[cols / 2] : cols % 2 ? -INFINITY : NAN;
            struct out right = { 0 };
            kinds[kind](k[0], &in, &right);
            for (size_t t = 1; t < ntables; t++) {
                struct out o = { 0 };
                kinds[kind](k[t], &in, &o);
                if (!kernelset_same((const float *)&right, (const float *)&o,
                                    sizeof o / sizeof(float)))
                    fail_msg("kind %zu of %s, %zu columns: other bits", kind, k[t]->name,
                             cols);
            }
        }
}

static void sums_and_largest_of_rows_are_right(void **state)
{
    (void)state;
    size_t ntables;
    const struct tsl_kernels *const *k = kernelset(&ntables);
    for (size_t t = 0; t < ntables; t++)
        for (size_t cols = 1; cols <= COLS_MAX; cols++) {
            struct in in = input(cols, 7);
            float sum[ROWS], top[ROWS];
            k[t]->rows_sum(sum, in.x, ROWS, cols);
            k[t]->rows_max(top, in.x, ROWS, cols);
            for (size_t r = 0; r < ROWS; r++) {
                double s = 0, m = -INFINITY;
                for (size_t i = 0; i < cols; i++) {
                    s += (double)in.x[r * cols + i];
                    m = fmax(m, (double)in.x[r * cols + i]);
                }
                near("sum", 0, cols, r, (double)sum[r], s, 4e-6);
                assert_true((double)top[r] == m);
            }
        }
}

static void rows_without_a_direction_stay_finite(void **state)
{
    (void)state;
    size_t ntables;
    const struct tsl_kernels *const *k = kernelset(&ntables);
    for (size_t t = 0; t < ntables; t++)
        for (size_t cols = 1; cols <= COLS_MAX; cols++) {
            struct in in = input(cols, 9);
            struct out o = { 0 };
            for (size_t i = 0; i < N; i++)
                in.x[i] = -INFINITY;
            softmax(k[t], &in, &o);
            for (size_t i = 0; i < ROWS * cols; i++)
                assert_true(o.y[i] == 0 && o.dx[i] == 0);
            log_softmax(k[t], &in, &o);
            for (size_t i = 0; i < ROWS * cols; i++)
                assert_true(o.y[i] == 0);
            for (size_t i = 0; i < N; i++)
                in.x[i] = 0.1f;
            for (unsigned e = 0; e < 2; e++) {
                in.eps = e ? 1e-12f : 0;
                layernorm(k[t], &in, &o);
                for (size_t i = 0; i < ROWS * cols; i++)
                    assert_true(isfinite(o.y[i]) && isfinite(o.dx[i]));
            }
            memset(in.x, 0, sizeof in.x);
            in.eps = 0;
            rmsnorm(k[t], &in, &o);
            for (size_t i = 0; i < ROWS * cols; i++)
                assert_true(o.y[i] == 0 && o.dx[i] == 0);
        }
}

static void gradients_are_added_to_where_asked(void **state)
{
    (void)state;
    const struct tsl_kernels *k = tsl_kernels();
    const size_t cols = 37;
    struct in in = input(cols, 11);
    struct out o = { 0 }, more = { 0 };
    layernorm(k, &in, &o);
    memcpy(more.dx, in.h, sizeof more.dx);
    k->layernorm_grad(more.dx, NULL, NULL, in.dy, in.x, o.mean, o.rstd, in.w, true, ROWS,
                      cols);
    for (size_t i = 0; i < ROWS * cols; i++)
        assert_true(more.dx[i] == in.h[i] + o.dx[i]);
    softmax(k, &in, &o);
    memcpy(more.dx, in.h, sizeof more.dx);
    k->softmax_grad(more.dx, in.dy, o.y, true, ROWS, cols);
    for (size_t i = 0; i < ROWS * cols; i++)
        assert_true(more.dx[i] == in.h[i] + o.dx[i]);
}

/* (6, 11) of the fixtures. */
enum { F_ROWS = 6, F_COLS = 11, F_N = F_ROWS * F_COLS };

static void softmax_fixture(const struct tsl_kernels *k, const char *op, bool logs)
{
    float x[OPFIXTURE_MAX], dy[OPFIXTURE_MAX];
    assert_int_equal(opfixture_floats(op, "x", x), F_N);
    opfixture_floats(op, "dy", dy);
    (logs ? k->log_softmax : k->softmax)(x, x, F_ROWS, F_COLS);
    opfixture_is(op, "y", x, 3e-7);
    (logs ? k->log_softmax_grad : k->softmax_grad)(dy, dy, x, false, F_ROWS, F_COLS);
    opfixture_is(op, "dx", dy, 5e-7);
}
static void norm_fixture(const struct tsl_kernels *k, const char *op, float eps, bool rms)
{
    float x[OPFIXTURE_MAX], dy[OPFIXTURE_MAX], w[OPFIXTURE_MAX], b[OPFIXTURE_MAX];
    float y[F_N], mean[F_ROWS], rstd[F_ROWS], dw[F_COLS] = { 0 }, db[F_COLS] = { 0 };
    assert_int_equal(opfixture_floats(op, "x", x), F_N);
    opfixture_floats(op, "dy", dy);
    opfixture_floats(op, "w", w);
    if (rms) {
        k->rmsnorm(y, rstd, x, w, eps, F_ROWS, F_COLS);
        k->rmsnorm_grad(dy, dw, dy, x, rstd, w, false, F_ROWS, F_COLS);
    } else {
        opfixture_floats(op, "b", b);
        k->layernorm(y, mean, rstd, x, w, b, eps, F_ROWS, F_COLS);
        k->layernorm_grad(dy, dw, db, dy, x, mean, rstd, w, false, F_ROWS, F_COLS);
        opfixture_is(op, "db", db, 1e-6);
    }
    opfixture_is(op, "y", y, 1e-6);
    opfixture_is(op, "dx", dy, 1e-6);
    opfixture_is(op, "dw", dw, 1e-6);
}
static void entropy_fixture(const struct tsl_kernels *k, const char *op, float smoothing)
{
    enum { E_ROWS = 8, E_COLS = 17 };
    float x[OPFIXTURE_MAX], loss[E_ROWS], stats[2 * E_ROWS], sum = 0, count = 0;
    double real[OPFIXTURE_MAX];
    int32_t labels[E_ROWS];
    assert_int_equal(opfixture_floats(op, "x", x), E_ROWS * E_COLS);
    opfixture(op, "labels", real);
    for (size_t r = 0; r < E_ROWS; r++)
        labels[r] = (int32_t)real[r];
    k->cross_entropy(loss, stats, x, labels, smoothing, E_ROWS, E_COLS);
    for (size_t r = 0; r < E_ROWS; r++) {
        sum += loss[r];
        count += labels[r] >= 0;
    }
    sum /= count;
    opfixture_is(op, "loss", &sum, 3e-7);
    k->cross_entropy_grad(x, x, stats, labels, smoothing, 1 / count, E_ROWS, E_COLS);
    opfixture_is(op, "dx", x, 5e-7);
}
static void rows_are_those_of_the_fixtures(void **state)
{
    (void)state;
    const struct tsl_kernels *k = tsl_kernels();
    softmax_fixture(k, "softmax", false);
    softmax_fixture(k, "log_softmax", true);
    norm_fixture(k, "layernorm", 1e-5f, false);
    norm_fixture(k, "layernorm_eps12", 1e-12f, false);
    norm_fixture(k, "rmsnorm", 1e-6f, true);
    entropy_fixture(k, "cross_entropy", 0);
    entropy_fixture(k, "cross_entropy_smooth", 0.1f);
}

/* A cross entropy in parts, and its gradient, beside the one of whole rows; every table gives the
 * same bits. */
static void rows_in_parts_are_whole_rows(void **state)
{
    (void)state;
    enum { PART = 24, PARTS = 3, P_ROWS = 19, P_COLS = 61 };
    static float x[P_ROWS * P_COLS], whole[P_ROWS * P_COLS], bias[P_COLS];
    static float y[3][PARTS * P_ROWS * PART], db[3][PARTS * PART], loss[3][P_ROWS];
    float loss_whole[P_ROWS], stats[2 * P_ROWS], right[P_ROWS], most[P_ROWS];
    float top[PARTS * P_ROWS], sum[PARTS * P_ROWS];
    int32_t labels[P_ROWS];
    size_t n;
    const struct tsl_kernels *const *set = kernelset(&n);
    kernelset_fill(x, P_ROWS * P_COLS, 5, 9);
    for (size_t r = 0; r < P_ROWS; r++) {
        labels[r] = (int32_t)(r * 17 % P_COLS);
        right[r] = x[r * P_COLS + (size_t)labels[r]];
    }
    set[0]->cross_entropy(loss_whole, stats, x, labels, 0, P_ROWS, P_COLS);
    set[0]->cross_entropy_grad(whole, x, stats, labels, 0, 0.5f, P_ROWS, P_COLS);
    set[0]->add_rows(bias, whole, P_ROWS, P_COLS, P_COLS);
    for (size_t t = 0; t < n; t++) {
        for (size_t p = 0; p < PARTS; p++) {
            float *part = y[t] + p * P_ROWS * PART;
            size_t cols = p + 1 < PARTS ? PART : P_COLS - p * PART;
            for (size_t r = 0; r < P_ROWS; r++)
                memcpy(part + r * PART, x + r * P_COLS + p * PART, cols * sizeof *x);
            set[t]->entropy_part(top + p * P_ROWS, sum + p * P_ROWS, part, PART, P_ROWS,
                                 cols);
        }
        set[t]->entropy_join(loss[t], most, right, top, sum, 0.5f, P_ROWS, PARTS);
        for (size_t p = 0; p < PARTS; p++)
            set[t]->entropy_part_grad(y[t] + p * P_ROWS * PART, db[t] + p * PART,
                                      sum + p * P_ROWS, labels, (int32_t)(p * PART), 0.5f,
                                      PART, P_ROWS,
                                      p + 1 < PARTS ? PART : P_COLS - p * PART);
        assert_memory_equal(y[t], y[0], sizeof y[0]);
        assert_memory_equal(db[t], db[0], sizeof db[0]);
        assert_memory_equal(loss[t], loss[0], sizeof loss[0]);
    }
    for (size_t r = 0; r < P_ROWS; r++) {
        assert_true(most[r] == stats[2 * r]);
        assert_true(fabsf(loss[0][r] - loss_whole[r]) <= 1e-6f * (1 + loss_whole[r]));
        for (size_t c = 0; c < P_COLS; c++) {
            float d = y[0][(c / PART * P_ROWS + r) * PART + c % PART];
            assert_true(fabsf(d - whole[r * P_COLS + c]) <= 2e-7f);
        }
    }
    for (size_t c = 0; c < P_COLS; c++)
        assert_true(fabsf(db[0][c] - bias[c]) <= 2e-6f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_are_what_the_formulas_say),
        TEST(every_table_gives_the_same_bits),
        TEST(sums_and_largest_of_rows_are_right),
        TEST(rows_without_a_direction_stay_finite),
        TEST(gradients_are_added_to_where_asked),
        TEST(rows_are_those_of_the_fixtures),
        TEST(rows_in_parts_are_whole_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
