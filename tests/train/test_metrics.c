#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/fault.h"
#include "train/metrics.h"

static int put(struct tsl_metrics *m, uint64_t step, double loss, struct tsl_err *err)
{
    const struct tsl_metric values[] = { { "loss", loss }, { "lr", 1e-4 } };
    return tsl_metrics_put(m, step, values, 2, err);
}

/* Steps from..to - 1 of a run; resume: at from - 1. */
static int run(const char *path, bool resume, uint64_t from, uint64_t to,
               struct tsl_err *err)
{
    struct tsl_metrics m;
    int rc = tsl_metrics_open(&m, path, resume, from - 1, err);
    for (uint64_t i = from; i < to && rc == 0; i++)
        rc = put(&m, i, 1.0 / (double)i, err);
    if (rc == 0)
        rc = tsl_metrics_sync(&m, err);
    int rc2 = tsl_metrics_close(&m, err);
    return rc < 0 ? rc : rc2;
}

static void a_step_is_a_line(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_metrics m;
    const struct tsl_metric odd[] = { { "a \"b\"\n", 0.1 },     { "third", 1.0 / 3 },
                                      { "large", 12345678901 }, { "none", NAN },
                                      { "inf", INFINITY },      { "small", -2.5e-300 } };
    (void)state;
    assert_ok(tsl_metrics_open(&m, "m", false, 0, &err), &err);
    assert_ok(put(&m, 1, 6.25, &err), &err);
    assert_ok(tsl_metrics_put(&m, 20, odd, 6, &err), &err);
    assert_ok(tsl_metrics_put(&m, 30, NULL, 0, &err), &err);
    assert_ok(tsl_metrics_close(&m, &err), &err);
    assert_true(file_is_text(
        "m", "{\"step\": 1, \"loss\": 6.25, \"lr\": 0.0001}\n"
             "{\"step\": 20, \"a \\\"b\\\"\\n\": 0.1, \"third\": 0.3333333333333333, "
             "\"large\": 12345678901, \"none\": null, \"inf\": null, "
             "\"small\": -2.5e-300}\n"
             "{\"step\": 30}\n"));
    assert_int_equal(folder_count("."), 1);
}

static void a_run_that_goes_on_has_each_step_once(void **state)
{
    struct tsl_err err = { 0 };
    size_t n;
    (void)state;
    assert_ok(run("whole", false, 1, 5000, &err), &err);
    uint8_t *p = file_get("whole", &n);
    assert_ok(run("cut", true, 1, 3100, &err), &err); /* nothing there yet */
    assert_ok(run("cut", true, 2501, 4000, &err), &err);
    uint8_t *q;
    size_t k;
    q = file_get("cut", &k);
    file_put("cut", q, k - 7); /* torn */
    free(q);
    assert_ok(run("cut", true, 3500, 5000, &err), &err);
    assert_true(file_is("cut", p, n));
    assert_ok(run("cut", false, 1, 5000, &err), &err); /* anew */
    assert_true(file_is("cut", p, n));
    free(p);
}

static void what_is_no_line_of_ours_is_told_and_stays(void **state)
{
    static const char *const bad[] = { "{\"loss\": 1}\n", "\n", "{\"step\": -1}\n",
                                       "{\"step\": 18446744073709551616}\n",
                                       "{\"step\": 1.5}\n" };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsl_err err = { 0 };
        struct tsl_metrics m;
        struct tsl_metrics_table t;
        char text[100];
        snprintf(text, sizeof text, "{\"step\": 1}\n%s{\"step\": 3}\n", bad[i]);
        file_put_text("m", text);
        assert_err(tsl_metrics_open(&m, "m", true, 9, &err), TSL_EFORMAT, &err,
                   "m: line 2: not a step's metrics");
        assert_true(file_is_text("m", text));
        assert_int_equal(folder_count("."), 1);
        assert_err(tsl_metrics_read(&t, "m", &err), TSL_EFORMAT, &err, "m: line 2");
    }
}

static void the_numbers_are_read_back(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_metrics_table t;
    (void)state;
    assert_ok(run("m", false, 1, 4000, &err), &err);
    assert_ok(tsl_metrics_read(&t, "m", &err), &err);
    assert_int_equal(t.n, 2);
    const struct tsl_metrics_series *s = tsl_metrics_find(&t, "loss");
    assert_non_null(s);
    assert_int_equal(s->n, 3999);
    for (size_t i = 0; i < s->n; i++)
        assert_true(s->step[i] == i + 1 && s->value[i] == 1.0 / (double)(i + 1));
    assert_null(tsl_metrics_find(&t, "step"));
    tsl_metrics_table_fini(&t);
    file_put_text("m",
                  "{\"step\": 4, \"x\": null, \"note\": \"hm\"}\n{\"step\": 5, \"x\"");
    assert_ok(tsl_metrics_read(&t, "m", &err), &err);
    assert_int_equal(t.n, 1);
    assert_true(t.series[0].n == 1 && isnan(t.series[0].value[0]));
    tsl_metrics_table_fini(&t);
    assert_err(tsl_metrics_read(&t, "no", &err), TSL_EIO, &err, "no: No such");
}

static void any_failure_leaves_the_old_lines(void **state)
{
    struct tsl_err none = { 0 };
    size_t n;
    (void)state;
    assert_ok(run("m", false, 1, 20, &none), &none);
    uint8_t *p = file_get("m", &n);
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        struct tsl_err err = { 0 };
        size_t k;
        file_put("m", p, n);
        fault_arm(nth, NULL);
        int rc = run("m", true, 11, 15, &err);
        const char *call = fault_disarm();
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        assert_true(rc < 0 ? err.code == rc && err.msg[0] : fault_is_harmless(call));
        uint8_t *q = file_get("m", &k);
        assert_true(k >= 10 * 30 && memcmp(p, q, 10 * 30) == 0);
        free(q);
        assert_int_equal(folder_count("."), 1);
    }
    free(p);
}

static int read_all(void *ctx, struct tsl_err *err)
{
    struct tsl_metrics_table t;
    (void)ctx;
    int rc = tsl_metrics_read(&t, "m", err);
    tsl_metrics_table_fini(&t);
    return rc;
}

static void no_memory_is_told(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(run("m", false, 1, 20, &err), &err);
    fault_each_allocation(read_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_step_is_a_line),
        TEST(a_run_that_goes_on_has_each_step_once),
        TEST(what_is_no_line_of_ours_is_told_and_stays),
        TEST(the_numbers_are_read_back),
        TEST(any_failure_leaves_the_old_lines),
        TEST(no_memory_is_told),
    };
    fault_skip_syncs(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
