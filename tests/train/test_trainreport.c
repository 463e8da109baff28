#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/fault.h"
#include "train/trainreport.h"

/* Numbers of a run of n steps, as its file has them. */
static void measure(uint64_t n, double scale)
{
    struct tsl_err err = { 0 };
    struct tsl_metrics m;
    assert_ok(tsl_metrics_open(&m, "m", false, 0, &err), &err);
    for (uint64_t i = 1; i <= n; i++) {
        const struct tsl_metric v[] = { { "loss", scale * (2 + 8 / (double)i) },
                                        { "mlm_loss", i == 3 ? NAN : scale * 2 },
                                        { "lr", 1e-4 },
                                        { "grad_norm", scale * (i % 7 ? 1.0 : 1000.0) },
                                        { "tokens", 128.0 * (double)i },
                                        { "tokens_per_s", 12345 },
                                        { "time", (double)i } };
        const struct tsl_metric e[] = { { "eval_loss", scale * 3 },
                                        { "eval_accuracy", 0.4 } };
        assert_ok(tsl_metrics_put(&m, i, v, 7, &err), &err);
        if (i % 100 == 0)
            assert_ok(tsl_metrics_put(&m, i, e, 2, &err), &err);
    }
    assert_ok(tsl_metrics_close(&m, &err), &err);
}

static int draw(const char *path, struct tsl_err *err)
{
    static const struct tsl_trainreport_pair pairs[] = { { "model", "<BERT> & more" } };
    static const struct tsl_trainreport_baseline baselines[] = {
        { "accuracy", "unigram", 0.061 }, { "loss", "bigram \"2\"", 4.5 }
    };
    struct tsl_metrics_table t;
    int rc = tsl_metrics_read(&t, "m", err);
    const struct tsl_trainreport r = { "run <1>", &t, pairs, 1, baselines, 2 };
    if (rc == 0)
        rc = tsl_trainreport_write(path, &r, err);
    tsl_metrics_table_fini(&t);
    return rc;
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

static char *page(void)
{
    struct tsl_err err = { 0 };
    size_t n;
    assert_ok(draw("report.html", &err), &err);
    return (char *)file_get("report.html", &n);
}

static void a_page_has_all_and_needs_nothing(void **state)
{
    (void)state;
    measure(1000, 1);
    char *p = page();
    assert_int_equal(count(p, "<figure>"), 6); /* 5 pictures, and the settings */
    assert_int_equal(count(p, "<svg"), 7);     /* two of them in two ways */
    assert_int_equal(count(p, "</svg>"), 7);
    assert_int_equal(count(p, "<circle"), 10 + 10 + 10);
    assert_non_null(strstr(p, "run &lt;1&gt;"));
    assert_non_null(strstr(p, "&lt;BERT&gt; &amp; more"));
    assert_non_null(strstr(p, "bigram &quot;2&quot; 4.5"));
    assert_non_null(strstr(p, "unigram 0.061"));
    assert_non_null(strstr(p, "step 1,000\neval_accuracy 0.4"));
    assert_null(strstr(p, "http"));
    assert_null(strstr(p, "<script"));
    assert_null(strstr(p, "nan"));
    assert_null(strstr(p, "inf"));
    free(p);
}

static void the_same_numbers_give_the_same_page(void **state)
{
    struct tsl_err err = { 0 };
    size_t n;
    (void)state;
    measure(500, 1);
    char *p = page();
    n = strlen(p);
    assert_ok(draw("again", &err), &err);
    assert_true(file_is("again", p, n));
    free(p);
}

static void a_long_run_gives_no_longer_page(void **state)
{
    (void)state;
    measure(2000, 1);
    char *p = page();
    size_t n = strlen(p);
    free(p);
    measure(40000, 1);
    p = page();
    assert_in_range(strlen(p), 1, 2 * n + 200 * 600);
    free(p);
}

static void few_and_odd_numbers_are_drawn_too(void **state)
{
    static const char *const files[] = {
        "",
        "{\"step\": 0}\n",
        "{\"step\": 0, \"loss\": null}\n",
        "{\"step\": 0, \"loss\": 0, \"lr\": 0, \"grad_norm\": 0}\n",
        "{\"step\": 5, \"loss\": -3}\n",
        "{\"step\": 5, \"loss\": 1e300}\n",
        "{\"step\": 1, \"loss\": -1e308}\n{\"step\": 2, \"loss\": 1e308}\n",
        "{\"step\": 1, \"loss\": 1e-310}\n{\"step\": 2, \"loss\": 1e-300}\n",
        "{\"step\": 1, \"loss\": 1e-300}\n{\"step\": 2, \"loss\": 1e300}\n",
        "{\"step\": 9223372036854775807, \"loss\": 1}\n{\"step\": 7, \"loss\": 2}\n",
        "{\"step\": 1, \"loss\": 1}\n{\"step\": 2, \"loss\": 1.0000000000000002}\n",
        "{\"step\": 1, \"eval_loss\": 2, \"eval_accuracy\": 0}\n"
    };
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        file_put_text("m", files[i]);
        char *p = page();
        assert_non_null(strstr(p, "</html>"));
        assert_true(strlen(p) < 100000);
        assert_null(strstr(p, "nan"));
        free(p);
    }
    measure(3, 1e-7);
    free(page());
}

static void any_failure_leaves_the_old_page(void **state)
{
    (void)state;
    measure(40, 1);
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        struct tsl_err err = { 0 };
        file_put_text("r", "old");
        fault_arm(nth, NULL);
        int rc = draw("r", &err);
        const char *call = fault_disarm();
        assert_int_equal(folder_count("."), 2);
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        assert_true(rc < 0 ? err.code == rc && err.msg[0] : fault_is_harmless(call));
        size_t n;
        char *p = (char *)file_get("r", &n);
        assert_true(strcmp(p, "old") == 0 || strstr(p, "</html>"));
        free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_page_has_all_and_needs_nothing), TEST(the_same_numbers_give_the_same_page),
        TEST(a_long_run_gives_no_longer_page),  TEST(few_and_odd_numbers_are_drawn_too),
        TEST(any_failure_leaves_the_old_page),
    };
    fault_skip_syncs(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
