#include "support/test.h"

#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "optim/schedule.h"

static struct tsl_schedule parsed(const char *text, uint64_t total)
{
    struct tsl_schedule s = { 0 };
    struct tsl_err err = { 0 };
    assert_ok(tsl_schedule_parse(&s, text, total, &err), &err);
    return s;
}

static void is_at(const char *text, uint64_t total, uint64_t step, double want)
{
    struct tsl_schedule s = parsed(text, total);
    double got = tsl_schedule_at(&s, step);
    if (!(fabs(got - want) <= 1e-15))
        fail_msg("%s at %llu: %.17g, not %.17g", text, (unsigned long long)step, got,
                 want);
}

static void piecewise_is_that_of_bert4keras(void **state)
{
    static const struct {
        uint64_t step;
        double v;
    } want[] = { { 0, 0 },      { 500, .5 },  { 1000, 1 },
                 { 1500, .55 }, { 2000, .1 }, { 3000, .1 } };
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        is_at("piecewise:1000=1,2000=0.1", 0, want[i].step, want[i].v);
    is_at("piecewise:0=0.5", 0, 0, .5);
    is_at("piecewise:0=0.5", 0, 7, .5);
    is_at("piecewise:0=2,10=1e-1", 0, 5, 1.05);
    is_at("piecewise:3125=1,125000=0", 0, 3125, 1);
    is_at("piecewise:3125=1,125000=0", 0, 200000, 0);
}

static void bert_jumps_after_warming_up(void **state)
{
    static const struct {
        uint64_t step;
        double v;
    } want[] = { { 0, 0 },        { 5000, 5e-5 }, { 9999, 9.999e-5 }, { 10000, 9e-5 },
                 { 50000, 5e-5 }, { 100000, 0 },  { 100001, 0 } };
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        is_at("bert:warmup=10000,total=100000", 0, want[i].step, want[i].v / 1e-4);
    is_at("bert:warmup=10%", 100000, 10000, .9);
}

static void rates_go_down_as_they_are_called(void **state)
{
    (void)state;
    is_at("constant", 0, 0, 1);
    is_at("constant", 0, UINT64_MAX, 1);
    is_at("constant:warmup=4", 0, 3, .75);
    is_at("constant:warmup=4", 0, 4, 1);
    is_at("linear:warmup=1000,total=3000", 0, 250, .25);
    is_at("linear:warmup=1000,total=3000", 0, 1000, 1);
    is_at("linear:warmup=1000,total=3000", 0, 2500, .25);
    is_at("linear:warmup=1000,total=3000", 0, 3000, 0);
    is_at("linear:warmup=1000,total=3000", 0, UINT64_MAX, 0);
    is_at("linear:final=20%", 100, 50, .6);
    is_at("linear:warmup=10", 10, 10, 0); /* no step is left to go down in */
    is_at("cosine", 100, 0, 1);
    is_at("cosine", 100, 50, .5);
    is_at("cosine:total=300,warmup=100", 7, 150, .5 + .5 * cos(acos(-1) / 4));
    is_at("cosine:final=0.1", 100, 50, .55);
    is_at("cosine:final=0.1", 100, 100, .1);
    is_at("cosine:final=0.1", 100, 101, .1);
    is_at("rsqrt:warmup=100", 0, 50, .5);
    is_at("rsqrt:warmup=100", 0, 100, 1);
    is_at("rsqrt:warmup=100", 0, 400, .5);
    is_at("rsqrt", 0, 0, 1);
    is_at("rsqrt", 0, 16, .25);
}

static void bits_are_the_same_everywhere(void **state)
{
    static const char *const texts[] = { "linear:warmup=30", "cosine:warmup=3%,final=.1",
                                         "bert:warmup=77", "rsqrt:warmup=50",
                                         "piecewise:10=1,700=.3,900=.01" };
    double v[5][1000];
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct tsl_schedule s = parsed(texts[i], 950);
        for (uint64_t t = 0; t < 1000; t++)
            v[i][t] = tsl_schedule_at(&s, t);
    }
    uint64_t sum = tsl_hash64(v, sizeof v, 0);
    if (sum != UINT64_C(0x140e1354a768d130))
        fail_msg("%llx", (unsigned long long)sum);
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const struct {
        const char *text, *part;
    } bad[] = {
        { "", "there are constant" },
        { "linea:total=5", "there are constant" },
        { "linear", "total: is missing" },
        { "linear:", "NAME=VALUE" },
        { "linear:total=5,", "NAME=VALUE" },
        { "linear:total", "total: is not" },
        { "linear:total=", "is no number of steps" },
        { "linear:total=0", "0: is no number" },
        { "linear:total=-5", "-5: is no number" },
        { "linear:total=5,warmup=6", "longer than the whole" },
        { "linear:total=5,warmup=101%", "is no number of steps" },
        { "linear:total=5,final=2", "not from 0 to 1" },
        { "linear:total=5,speed=2", "speed: is nothing" },
        { "constant:total=5", "total: is nothing" },
        { "rsqrt:warmup=5%", "could be a share of" },
        { "bert:total=5,final=.1", "final: is nothing" },
        { "piecewise", "has no point" },
        { "piecewise:5=1,5=2", "no smaller" },
        { "piecewise:5=1,4=2", "no smaller" },
        { "piecewise:x=1", "x: is no step" },
        { "piecewise:1=nan", "nan: is no multiplier" },
        { "piecewise:1=-1", "-1: is no multiplier" },
    };
    struct tsl_err err = { 0 };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsl_schedule s = { .warmup = 9 };
        assert_err(tsl_schedule_parse(&s, bad[i].text, 0, &err), TSL_EUSAGE, &err,
                   bad[i].part);
        assert_int_equal(s.warmup, 9);
    }
    char text[20 + TSL_SCHEDULE_POINTS * 6] = "piecewise:";
    size_t n = 10;
    for (int i = 0; i <= TSL_SCHEDULE_POINTS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%d=1", i ? "," : "", i + 10);
    struct tsl_schedule s;
    assert_err(tsl_schedule_parse(&s, text, 0, &err), TSL_EUSAGE, &err, "too many");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(piecewise_is_that_of_bert4keras),  TEST(bert_jumps_after_warming_up),
        TEST(rates_go_down_as_they_are_called), TEST(bits_are_the_same_everywhere),
        TEST(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
