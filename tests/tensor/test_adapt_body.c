#include "support/test.h"

#include <math.h>
#include <string.h>

#include "support/gendata.h"
#include "tensor/kernel_args.h"
#include "tensor/kernels.h"

enum { MOST = 70 };

struct arrays {
    float u[MOST], x[MOST], m[MOST], v[MOST], grad[MOST];
    double col[MOST], sum;
};

static struct arrays drawn(void)
{
    struct gen g = { 3 };
    struct arrays a = { 0 };
    for (int i = 0; i < MOST; i++) {
        float f[5];
        for (int k = 0; k < 5; k++)
            f[k] = (float)((double)gen_below(&g, 1 << 24) * 0x1p-23 - 1);
        a.u[i] = 7;
        a.x[i] = f[0];
        a.m[i] = f[1];
        a.v[i] = f[2] * f[2];
        a.grad[i] = i % 9 ? f[3] : 0;
        a.col[i] = f[4];
    }
    return a;
}

static const struct tsl_step_adamw adamw = { .scale = .5f,
                                             .beta1 = .9f,
                                             .rest1 = .1f,
                                             .beta2 = .99f,
                                             .rest2 = .01f,
                                             .rate = 1.25f,
                                             .correct2 = 3,
                                             .eps = 1e-3f,
                                             .decay = .125f };
static const struct tsl_step_adapt adapt = {
    .clip = .75f, .beta1 = .9f, .rest1 = .1f, .rate = .02f, .decay = .001f
};

static struct arrays done_by(const struct tsl_kernels *k, int which, size_t n)
{
    struct arrays a = drawn();
    switch (which) {
    case 0: k->adapt_moments(a.u, a.x, a.m, a.v, a.grad, n, &adamw); break;
    case 1: k->adapt_lamb(a.x, a.m, a.v, .03f, n, &adamw); break;
    case 2: a.sum = k->adapt_squares(a.col, a.grad, .3f, n); break;
    case 3: k->adapt_root(a.u, a.grad, .3f, .7f, a.v, 1e-30f, n); break;
    case 4: k->adapt_apply(a.x, NULL, a.grad, &adapt, n); break;
    case 5: k->adapt_apply(a.x, a.m, a.grad, &adapt, n); break;
    }
    return a;
}

/* The formulas of kernels.h, an operation at a time. */
static struct arrays by_hand(int which, size_t n)
{
    struct arrays a = drawn();
    double sum[8] = { 0 };
    for (size_t i = 0; i < n; i++) {
        float g = a.grad[i] * (which == 0 ? .5f : .3f), step = .75f * a.grad[i];
        if (which == 0) {
            a.m[i] = .9f * a.m[i] + .1f * g;
            a.v[i] = .99f * a.v[i] + .01f * g * g;
        }
        float u = 1.25f * a.m[i] / (sqrtf(a.v[i] * 3) + 1e-3f) + .125f * a.x[i];
        if (which == 0)
            a.u[i] = u;
        if (which == 1)
            a.x[i] -= .03f * u;
        if (which == 2) {
            a.col[i] += (double)g * g;
            sum[i % 8] += (double)g * g;
        }
        if (which == 3)
            a.u[i] = g / sqrtf(.7f * a.v[i] + 1e-30f);
        if (which == 5)
            step = a.m[i] = .9f * a.m[i] + .1f * step;
        if (which >= 4)
            a.x[i] -= .02f * step + .001f * a.x[i];
    }
    for (int k = 0; k < 8; k++)
        a.sum += sum[k];
    return a;
}

static void every_table_has_the_bits_of_the_formulas(void **state)
{
    static const char *const names[] = { "ref", "avx2", "avx512" };
    (void)state;
    for (int t = 0; t < 3; t++) {
        const struct tsl_kernels *k = tsl_kernels_named(names[t]);
        for (size_t n = 0; k && n <= MOST; n++)
            for (int which = 0; which < 6; which++) {
                struct arrays got = done_by(k, which, n), want = by_hand(which, n);
                if (memcmp(&got, &want, sizeof got) != 0)
                    fail_msg("%s, kernel %d, %zu numbers", names[t], which, n);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(every_table_has_the_bits_of_the_formulas) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
