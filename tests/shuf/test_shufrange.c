#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shuf/shufrange.h"
#include "support/fault.h"

static bool is_permutation(uint64_t seed, uint64_t n)
{
    struct tsl_rangeperm p = tsl_rangeperm_make(seed, n);
    uint8_t *seen = calloc(n, 1);
    bool good = true;
    for (uint64_t i = 0; i < n && good; i++) {
        uint64_t v = tsl_rangeperm_at(&p, i);
        good = v < n && !seen[v];
        if (good)
            seen[v] = 1;
    }
    free(seen);
    return good;
}

static void every_number_comes_once(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 2000; n++)
        assert_true(is_permutation(n * 7, n));
    assert_true(is_permutation(3, (1 << 20) + 7));
}

static void numbers_stay_within_ranges_of_any_size(void **state)
{
    (void)state;
    for (unsigned log = 21; log < 64; log++)
        for (int64_t off = -1; off <= 1; off++) {
            uint64_t n = (UINT64_C(1) << log) + (uint64_t)off, last = UINT64_MAX;
            struct tsl_rangeperm p = tsl_rangeperm_make(log, n);
            for (uint64_t i = 0; i < 20; i++) {
                uint64_t v = tsl_rangeperm_at(&p, i * (n / 20));
                assert_true(v < n && v != last);
                last = v;
            }
        }
    struct tsl_rangeperm p = tsl_rangeperm_make(1, UINT64_MAX);
    assert_true(tsl_rangeperm_at(&p, UINT64_MAX - 1) < UINT64_MAX);
}

static void seeds_give_different_orders(void **state)
{
    enum { N = 100000 };
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct tsl_rangeperm a = tsl_rangeperm_make(seed, N),
                             b = tsl_rangeperm_make(seed + 1, N);
        unsigned same = 0;
        for (uint64_t i = 0; i < N; i++)
            same += tsl_rangeperm_at(&a, i) == tsl_rangeperm_at(&b, i);
        assert_true(same < 12); /* one is to be expected */
    }
}

static void every_order_of_three_or_four_is_as_likely(void **state)
{
    (void)state;
    for (uint64_t n = 3; n <= 4; n++) {
        enum { SEEDS = 24000 };
        unsigned counts[256] = { 0 }, norders = n == 3 ? 6 : 24;
        double chi2 = 0, expected = (double)SEEDS / norders, df = norders - 1;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct tsl_rangeperm p = tsl_rangeperm_make(seed, n);
            uint64_t number = 0;
            for (uint64_t i = 0; i < n; i++)
                number = number * n + tsl_rangeperm_at(&p, i);
            counts[number]++;
        }
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            if (counts[i]) /* an order that never came leaves too many for the others */
                chi2 += (counts[i] - expected) * (counts[i] - expected) / expected;
        assert_true((cbrt(chi2 / df) - (1 - 2 / (9 * df))) / sqrt(2 / (9 * df)) < 5);
    }
}

static void every_number_is_as_likely_in_every_place(void **state)
{
    enum { N = 50, SEEDS = 10000 };
    static unsigned counts[N][N];
    double chi2 = 0, expected = (double)SEEDS / N, df = (N - 1.0) * (N - 1);
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct tsl_rangeperm p = tsl_rangeperm_make(seed, N);
        for (uint64_t i = 0; i < N; i++)
            counts[i][tsl_rangeperm_at(&p, i)]++;
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            chi2 += (counts[i][j] - expected) * (counts[i][j] - expected) / expected;
    chi2 *= (N - 1.0) / N;
    assert_true(fabs((cbrt(chi2 / df) - (1 - 2 / (9 * df))) / sqrt(2 / (9 * df))) < 5);
}

static int run(uint64_t lo, uint64_t hi, bool repeat, uint64_t head, unsigned nthreads,
               const char *out, struct tsl_shufjob_stats *st, struct tsl_err *err)
{
    const char *const patterns[] = { out };
    struct tsl_shufrange r = { lo, hi, repeat };
    struct tsl_shufjob_opts o = { .seed = 5,
                                  .nthreads = nthreads,
                                  .frame = { TSL_FRAME_LINE, 0 },
                                  .head = head,
                                  .sample = 1,
                                  .out = { .patterns = patterns } };
    return tsl_shufrange_run(&r, &o, st, err);
}

static void the_command_writes_the_permutation(void **state)
{
    enum { LO = 1000, N = 50000 };
    struct tsl_rangeperm p = tsl_rangeperm_make(5, N);
    char *want = malloc(N * 6 + 1);
    size_t len = 0;
    (void)state;
    for (uint64_t i = 0; i < N; i++)
        len += (size_t)sprintf(want + len, "%d\n", (int)(LO + tsl_rangeperm_at(&p, i)));
    for (unsigned nthreads = 1; nthreads <= 3; nthreads++) {
        struct tsl_shufjob_stats st;
        struct tsl_err err = { 0 };
        assert_ok(run(LO, LO + N - 1, false, UINT64_MAX, nthreads, "out", &st, &err),
                  &err);
        assert_true(file_is("out", want, len));
        assert_int_equal(st.rows_out, N);
        assert_int_equal(st.row_bytes_out, len - N);
        /* the head is the head of the whole */
        assert_ok(run(LO, LO + N - 1, false, 10, nthreads, "head", &st, &err), &err);
        size_t n;
        char *head = (char *)file_get("head", &n);
        assert_true(n > 20 && n < 60);
        assert_memory_equal(head, want, n);
        free(head);
    }
    free(want);
}

static void the_largest_numbers_are_written_right(void **state)
{
    struct tsl_shufjob_stats st;
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(run(UINT64_MAX, UINT64_MAX, false, UINT64_MAX, 1, "out", &st, &err), &err);
    assert_true(file_is_text("out", "18446744073709551615\n"));
    assert_ok(run(0, 0, false, UINT64_MAX, 1, "out", &st, &err), &err);
    assert_true(file_is_text("out", "0\n"));
    assert_ok(run(1, UINT64_MAX, false, 3, 1, "out", &st, &err), &err);
    assert_int_equal(st.rows_out, 3);
}

static void draws_repeat_and_are_uniform(void **state)
{
    struct tsl_shufjob_stats st;
    struct tsl_err err = { 0 };
    unsigned counts[10] = { 0 };
    double chi2 = 0;
    size_t n;
    (void)state;
    assert_ok(run(0, 9, true, 50000, 2, "out", &st, &err), &err);
    char *p = (char *)file_get("out", &n);
    assert_int_equal(n, 100000);
    for (size_t i = 0; i < n; i += 2)
        counts[p[i] - '0']++;
    free(p);
    for (int i = 0; i < 10; i++)
        chi2 += (counts[i] - 5000.0) * (counts[i] - 5000.0) / 5000;
    assert_true(chi2 < 60);
}

static void any_failure_leaves_no_file(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_shufjob_stats st;
        struct tsl_err err = { 0 };
        fault_arm(nth, NULL);
        int rc = run(1, 100000, false, UINT64_MAX, 2, "out", &st, &err);
        const char *call = fault_disarm();
        size_t n = folder_count(".");
        if (rc == 0)
            assert_int_equal(st.rows_out, 100000);
        else
            assert_int_equal(err.code, rc);
        /* only syncing the folder comes after the name */
        assert_true(n == 0 ||
                    (n == 1 && (rc == 0 || !strcmp(call, "fsync") ||
                                !strcmp(call, "open") || !strcmp(call, "close"))));
        if (n) {
            free(file_get("out", &n));
            assert_int_equal(n, 588895);
            remove("out");
        }
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        assert_true(rc < 0 || fault_is_harmless(call));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_number_comes_once),
        TEST(numbers_stay_within_ranges_of_any_size),
        TEST(seeds_give_different_orders),
        TEST(every_order_of_three_or_four_is_as_likely),
        TEST(every_number_is_as_likely_in_every_place),
        TEST(the_command_writes_the_permutation),
        TEST(the_largest_numbers_are_written_right),
        TEST(draws_repeat_and_are_uniform),
        TEST(any_failure_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
