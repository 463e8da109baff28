#include "support/optimcase.h"

/* As torch.optim.SGD: d = g + decay x; m = mu m + d; x -= lr (nesterov ? d + mu m : m). */
static void check(double mu, bool nesterov, double decay, bool in_gradient)
{
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_SGD);
    double x[2] = { 1, -2 }, m[2] = { 0 };
    opts.momentum = mu;
    opts.nesterov = nesterov;
    opts.weight_decay = decay;
    opts.decay_in_gradient = in_gradient;
    opts.decay_min_rank = 0;
    case_pair(&c, &opts);
    for (int t = 0; t < 8; t++) {
        double grad[2] = { .5 - .1 * t, .2 * t - 1 };
        for (int i = 0; i < 2; i++) {
            double d = grad[i] + (in_gradient ? decay * x[i] : 0);
            m[i] = mu * m[i] + d;
            x[i] -= .1 * ((nesterov ? d + mu * m[i] : m[i]) +
                          (in_gradient ? 0 : decay * x[i]));
        }
        case_step(&c, grad);
        case_is(&c, x);
    }
    assert_int_equal(tsl_optim_state(c.o, 1) != NULL, mu > 0);
    case_end(&c);
}

static void steps_are_those_of_the_formula(void **state)
{
    (void)state;
    check(0, false, 0, true);
    check(0, false, .3, true);
    check(0, false, .3, false);
    check(.9, false, 0, true);
    check(.9, true, 0, true);
    check(.9, true, .3, true);
    check(.9, true, .3, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(steps_are_those_of_the_formula) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
