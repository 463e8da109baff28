#include "support/optimcase.h"

#include "support/fault.h"

/* x is 1, 2, 3 after the steps. */
static void averages_are_those_of_the_worked_example(void **state)
{
    static const double raw[] = { .1, .29, .561 };
    static const double shown[] = { 1, 1.526315789474, 2.070110701107 };
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_SGD);
    struct tsl_err err = { 0 };
    (void)state;
    opts.lr = 1;
    opts.ema_decay = .9;
    case_add(&c, "w", 1, 1, 1);
    case_start(&c, &opts, 0);
    assert_ok(tsl_optim_ema_show(c.o, &err), &err);
    tsl_optim_ema_hide(c.o);
    assert_true(c.p.item[0].value[0] == 0); /* there was nothing to show */
    for (int t = 0; t < 3; t++) {
        case_step(&c, (double[]){ -1 });
        const float *e = tsl_optim_state_find(c.o, "ema.w")->data;
        assert_near(*e, raw[t], 1e-7);
        assert_ok(tsl_optim_ema_show(c.o, &err), &err);
        assert_near(c.p.item[0].value[0], shown[t], 1e-6);
        tsl_optim_ema_hide(c.o);
        assert_true(c.p.item[0].value[0] == (float)(t + 1));
    }
    case_end(&c);
}

static void without_memory_nothing_is_shown(void **state)
{
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_SGD);
    struct tsl_err err = { 0 };
    (void)state;
    opts.ema_decay = .9;
    case_pair(&c, &opts);
    case_step(&c, (double[]){ 10, 10 });
    fault_arm(1, "mmap");
    assert_err(tsl_optim_ema_show(c.o, &err), TSL_ENOMEM, &err, "averages");
    fault_disarm();
    case_is(&c, (double[]){ 0, -3 });
    case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(averages_are_those_of_the_worked_example),
        TEST(without_memory_nothing_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
