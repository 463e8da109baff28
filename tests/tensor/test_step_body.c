/* The optimizers' kernels against the formulas, operation by operation. */
#include <math.h>

#include "support/kernelset.h"

enum { N = 67 };

struct numbers {
    float x[N + 1], m[N + 1], v[N + 1], e[N + 1], grad[N + 1];
};

static struct numbers numbers(void)
{
    struct numbers s;
    kernelset_fill(s.x, N + 1, 1, 1);
    kernelset_fill(s.m, N + 1, 2, 0.1f);
    kernelset_fill(s.v, N + 1, 3, 0.01f);
    kernelset_fill(s.e, N + 1, 4, 1);
    kernelset_fill(s.grad, N + 1, 5, 1);
    for (size_t i = 0; i <= N; i++)
        s.v[i] = fabsf(s.v[i]);
    s.grad[0] = s.m[0] = 0;
    return s;
}

static const struct tsl_step_adamw adamw = { 0.5f,  0.9f, 0.1f,  0.999f, 0.001f,
                                             0.01f, 9.5f, 1e-8f, 1e-4f };
static const struct tsl_step_lion lion = {
    0.5f, 0.95f, 0.05f, 0.98f, 0.02f, 0.01f, 1e-4f
};
static const struct tsl_step_sgd sgd = { 0.5f, 0.9f, 0, 1, 0.01f, 1e-4f };
static const struct tsl_step_sgd nesterov = { 0.5f, 0.9f, 1, 0.9f, 0.01f, 1e-4f };

static float sgd_step(const struct tsl_step_sgd *c, float x, float *m, float grad)
{
    float g = grad * c->scale;
    if (m) {
        *m = c->momentum * *m + g;
        g = c->own * g + c->of_m * *m;
    }
    return x - (c->rate * g + c->decay * x);
}
static void slow(unsigned kind, struct numbers *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float *x = &s->x[i], *m = &s->m[i], *v = &s->v[i], g = s->grad[i] * 0.5f, c;
        switch (kind) {
        case 0:
            *m = adamw.beta1 * *m + adamw.rest1 * g;
            *v = adamw.beta2 * *v + adamw.rest2 * g * g;
            *x -= adamw.rate * *m / (sqrtf(*v * adamw.correct2) + adamw.eps) +
                  adamw.decay * *x;
            break;
        case 1:
            c = lion.beta1 * *m + lion.rest1 * g;
            *x -= (c > 0 ? lion.rate : c < 0 ? -lion.rate : 0) + lion.decay * *x;
            *m = lion.beta2 * *m + lion.rest2 * g;
            break;
        case 2: *x = sgd_step(&sgd, *x, NULL, s->grad[i]); break;
        case 3: *x = sgd_step(&sgd, *x, m, s->grad[i]); break;
        case 4: *x = sgd_step(&nesterov, *x, m, s->grad[i]); break;
        default: s->e[i] = 0.99f * s->e[i] + 0.01f * *x; break;
        }
    }
}
static void fast(const struct tsl_kernels *k, unsigned kind, struct numbers *s, size_t n)
{
    switch (kind) {
    case 0: k->step_adamw(s->x, s->m, s->v, s->grad, n, &adamw); break;
    case 1: k->step_lion(s->x, s->m, s->grad, n, &lion); break;
    case 2: k->step_sgd(s->x, NULL, s->grad, n, &sgd); break;
    case 3: k->step_sgd(s->x, s->m, s->grad, n, &sgd); break;
    case 4: k->step_sgd(s->x, s->m, s->grad, n, &nesterov); break;
    default: k->step_average(s->e, s->x, 0.99f, 0.01f, n); break;
    }
}

static void steps_are_the_formulas_operation_by_operation(void **state)
{
    (void)state;
    size_t ntables;
    const struct tsl_kernels *const *k = kernelset(&ntables);
    for (size_t t = 0; t < ntables; t++)
        for (unsigned kind = 0; kind < 6; kind++)
            for (size_t n = 0; n <= N; n++) {
                struct numbers got = numbers(), want = numbers();
                slow(kind, &want, n);
                fast(k[t], kind, &got, n);
                assert_memory_equal(&got, &want, sizeof got);
            }
}

static void squares_are_added_up_in_double(void **state)
{
    (void)state;
    size_t ntables;
    const struct tsl_kernels *const *k = kernelset(&ntables);
    static float x[5000];
    kernelset_fill(x, 5000, 6, 1e19f);
    x[4321] = 1e-30f;
    for (size_t n = 0; n <= 5000; n += n < N ? 1 : 1111) {
        long double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += (long double)x[i] * (long double)x[i];
        double first = k[0]->step_squares(x, n);
        assert_true(fabs((double)(first - sum)) <= 1e-14 * (double)sum);
        for (size_t t = 1; t < ntables; t++)
            assert_true(k[t]->step_squares(x, n) == first);
    }
    x[17] = NAN;
    assert_true(isnan(k[0]->step_squares(x, 67)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(steps_are_the_formulas_operation_by_operation),
        TEST(squares_are_added_up_in_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
