#include "support/optimcase.h"

static struct tsl_optim_opts every_two(void)
{
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_SGD);
    opts.lookahead_k = 2;
    return opts;
}

static void steps_are_those_of_the_worked_example(void **state)
{
    static const double want[] = { .9, .905, .8145, .819025 };
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = every_two();
    (void)state;
    case_add(&c, "w", 1, 1, 1);
    case_start(&c, &opts, 0);
    c.p.item[0].value[0] = 1;
    for (int t = 0; t < 4; t++) {
        case_step(&c, (double[]){ c.p.item[0].value[0] });
        case_is(&c, &want[t]);
    }
    case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(steps_are_those_of_the_worked_example) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
