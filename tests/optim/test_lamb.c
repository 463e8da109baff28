#include "support/optimcase.h"

static struct tsl_optim_opts worked(void)
{
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_LAMB);
    opts.lr = .1;
    opts.no_bias_correction = true;
    opts.decay_min_rank = 0;
    return opts;
}

static void the_first_step_is_that_of_the_worked_example(void **state)
{
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = worked();
    (void)state;
    case_pair(&c, &opts);
    case_step(&c, (double[]){ .5, -1 });
    case_is(&c, (double[]){ .842137635978, -1.841634997473 });
    case_end(&c);
}

static void without_adaptation_it_is_adamw(void **state)
{
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = worked();
    struct tsl_paramgroup spared = { .pattern = "w", .no_adaptation = true };
    (void)state;
    opts.group = &spared;
    opts.ngroups = 1;
    case_pair(&c, &opts);
    case_step(&c, (double[]){ .5, -1 });
    case_is(&c, (double[]){ .682792232718, -1.681782233667 });
    case_step(&c, (double[]){ .25, .5 });
    case_is(&c, (double[]){ .285993572669, -1.566921286910 });
    case_end(&c);
}

static void a_tensor_of_zeros_is_moved_all_the_same(void **state)
{
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = worked();
    (void)state;
    case_pair(&c, &opts);
    case_put(c.p.item[0].value, (double[]){ 0, 0 }, 2);
    case_step(&c, (double[]){ .5, -1 });
    case_is(&c, (double[]){ -.316207767282, .316217766333 });
    case_end(&c);
}

/* In double, with bias correction. */
static void many_steps_are_those_of_the_formula(void **state)
{
    enum { N = 12 };
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_LAMB);
    struct gen g = { 6 };
    double x[N], m[N] = { 0 }, v[N] = { 0 };
    (void)state;
    opts.lr = .01;
    case_add(&c, "w", 2, 3, 4);
    case_start(&c, &opts, 0);
    for (int i = 0; i < N; i++)
        x[i] = c.p.item[0].value[i] = case_number(&g);
    for (int t = 1; t <= 10; t++) {
        double grad[N], u[N], xx = 0, uu = 0;
        for (int i = 0; i < N; i++) {
            grad[i] = case_number(&g);
            m[i] = .9 * m[i] + .1 * grad[i];
            v[i] = .999 * v[i] + .001 * grad[i] * grad[i];
            u[i] = .01 * x[i] +
                   m[i] / (1 - pow(.9, t)) / (sqrt(v[i] / (1 - pow(.999, t))) + 1e-6);
            xx += x[i] * x[i];
            uu += u[i] * u[i];
        }
        for (int i = 0; i < N; i++)
            x[i] -= .01 * sqrt(xx / uu) * u[i];
        case_step(&c, grad);
        case_is(&c, x);
    }
    case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_step_is_that_of_the_worked_example),
        TEST(without_adaptation_it_is_adamw),
        TEST(a_tensor_of_zeros_is_moved_all_the_same),
        TEST(many_steps_are_those_of_the_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
