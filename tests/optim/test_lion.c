#include "support/optimcase.h"

static void steps_are_those_of_the_formula(void **state)
{
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_LION);
    double x[2] = { 1, -2 }, m[2] = { 0 };
    struct gen g = { 9 };
    (void)state;
    opts.weight_decay = .2;
    opts.decay_min_rank = 0;
    case_pair(&c, &opts);
    for (int t = 0; t < 20; t++) {
        double grad[2];
        for (int i = 0; i < 2; i++) {
            grad[i] = case_number(&g);
            double d = .95 * m[i] + .05 * grad[i];
            x[i] -= 3e-4 * ((d > 0) - (d < 0) + .2 * x[i]);
            m[i] = .98 * m[i] + .02 * grad[i];
        }
        case_step(&c, grad);
        case_is(&c, x);
    }
    case_end(&c);
}

static void nothing_moves_where_the_sum_is_zero(void **state)
{
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_LION);
    (void)state;
    case_pair(&c, &opts);
    case_step(&c, (double[]){ 0, -0.0 });
    case_step(&c, (double[]){ 0, 1 });
    case_is(&c, (double[]){ 1, -2.0003 });
    assert_true(c.p.item[0].value[0] == 1);
    case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(steps_are_those_of_the_formula),
        TEST(nothing_moves_where_the_sum_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
