#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/permute.h"
#include "shuf/shufrange.h"
#include "support/fault.h"

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
    struct tsl_permute p = tsl_permute_make(5, "shuffle range", N);
    char *want = malloc(N * 6 + 1);
    size_t len = 0;
    (void)state;
    for (uint64_t i = 0; i < N; i++)
        len += (size_t)sprintf(want + len, "%d\n", (int)(LO + tsl_permute_at(&p, i)));
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
        TEST(the_command_writes_the_permutation),
        TEST(the_largest_numbers_are_written_right),
        TEST(draws_repeat_and_are_uniform),
        TEST(any_failure_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
