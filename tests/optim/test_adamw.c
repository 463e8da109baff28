#include "support/optimcase.h"

static void steps_are_those_of_the_worked_examples(void **state)
{
    static const struct {
        bool uncorrected;
        double decay, one[2], two[2];
    } examples[] = {
        { false, 0, { .9000002, -1.9000001 }, { .806782471978, -1.873366429728 } },
        { true,
          0,
          { .683792232718, -1.683782233667 },
          { .287676364902, -1.570603069144 } },
        { true,
          .01,
          { .682792232718, -1.681782233667 },
          { .285993572669, -1.566921286910 } },
    };
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        struct optimcase c = { 0 };
        struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_ADAMW);
        opts.lr = .1;
        opts.eps = 1e-6;
        opts.no_bias_correction = examples[i].uncorrected;
        opts.weight_decay = examples[i].decay;
        opts.decay_min_rank = 0;
        case_pair(&c, &opts);
        case_step(&c, (double[]){ .5, -1 });
        case_is(&c, examples[i].one);
        case_step(&c, (double[]){ .25, .5 });
        case_is(&c, examples[i].two);
        case_end(&c);
    }
}

static void decay_in_the_gradient_goes_through_the_moments(void **state)
{
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_ADAMW);
    double x[2] = { 1, -2 }, m[2] = { 0 }, v[2] = { 0 };
    (void)state;
    opts.lr = .1;
    opts.weight_decay = .5;
    opts.decay_min_rank = 0;
    opts.decay_in_gradient = true;
    case_pair(&c, &opts);
    for (int t = 1; t <= 10; t++) {
        double grad[2] = { .3 - .07 * t, .1 * t };
        case_step(&c, grad);
        for (int i = 0; i < 2; i++) {
            double g = grad[i] + .5 * x[i];
            m[i] = .9 * m[i] + .1 * g;
            v[i] = .999 * v[i] + .001 * g * g;
            x[i] -=
                .1 * (m[i] / (1 - pow(.9, t))) / (sqrt(v[i] / (1 - pow(.999, t))) + 1e-8);
        }
        case_is(&c, x);
    }
    case_end(&c);
}

/* Ten steps on a matrix against the same in double. */
static void a_matrix_decays_and_a_vector_does_not(void **state)
{
    enum { N = 12 };
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_ADAMW);
    struct gen g = { 5 };
    double x[2][N], m[2][N] = { 0 }, v[2][N] = { 0 };
    struct tsl_err err = { 0 };
    (void)state;
    opts.weight_decay = .1;
    opts.lr = .01;
    case_add(&c, "w", 2, 3, 4);
    case_add(&c, "b", 1, 1, N);
    case_start(&c, &opts, 0);
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < N; i++)
            x[p][i] = c.p.item[p].value[i] = case_number(&g);
    for (int t = 1; t <= 10; t++) {
        for (int p = 0; p < 2; p++)
            for (int i = 0; i < N; i++) {
                double d = c.p.item[p].grad[i] = case_number(&g);
                m[p][i] = .9 * m[p][i] + .1 * d;
                v[p][i] = .999 * v[p][i] + .001 * d * d;
                x[p][i] -= .01 * ((p ? 0 : .1 * x[p][i]) +
                                  m[p][i] / (1 - pow(.9, t)) /
                                      (sqrt(v[p][i] / (1 - pow(.999, t))) + 1e-8));
            }
        assert_ok(tsl_optim_step(c.o, 1, 1, NULL, &err), &err);
    }
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < N; i++)
            assert_near(c.p.item[p].value[i], x[p][i], 1e-6);
    case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(steps_are_those_of_the_worked_examples),
        TEST(decay_in_the_gradient_goes_through_the_moments),
        TEST(a_matrix_decays_and_a_vector_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
