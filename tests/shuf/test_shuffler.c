#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shuf/shuffler.h"
#include "shuf/shufjob.h"
#include "support/fault.h"
#include "support/gendata.h"

static const char *const here[] = { "." };

static struct tsl_shuffler_opts opts(uint64_t memory, bool unique)
{
    struct tsl_shuffler_opts o = tsl_shuffler_defaults();
    o.seed = 3;
    o.memory = memory;
    o.dirs = here;
    o.ndirs = 1;
    o.unique = unique;
    return o;
}

/* The lines of in through a shuffler, as lines. */
static int shuffle(struct rowlist *out, const struct rowlist *in,
                   const struct tsl_shuffler_opts *o, struct tsl_err *err)
{
    struct tsl_shuffler *s = NULL;
    struct tsl_slice row;
    int rc = tsl_shuffler_create(&s, o, err);
    for (size_t i = 0; i < in->nrows && rc == 0; i++) {
        /* as large as the row is, so that a sanitizer sees one byte too many */
        uint8_t *p = malloc(in->rows[i].len + 1);
        memcpy(p, in->bytes + in->rows[i].at, in->rows[i].len);
        p = realloc(p, in->rows[i].len ? in->rows[i].len : 1);
        rc = tsl_shuffler_put(s, p, in->rows[i].len, err);
        free(p);
    }
    while (rc == 0 && (rc = tsl_shuffler_next(s, &row, err)) == 1) {
        rowlist_bytes(out, row.data, row.len);
        rowlist_bytes(out, "\n", 1);
        rowlist_place(out, 0, out->len - 1 - row.len, row.len);
        rc = 0;
    }
    tsl_shuffler_destroy(s);
    return rc;
}

static void make_rows(struct rowlist *l, uint64_t seed, size_t bytes, size_t longest)
{
    const struct tsl_frame line = { TSL_FRAME_LINE, 0 };
    struct gen g = { seed };
    uint8_t *p = malloc(bytes);
    size_t n = gen_rows(&g, &line, p, bytes, longest, 300);
    assert_true(slow_rows(l, &line, p, n));
    free(p);
}

static void the_order_is_the_command_s(void **state)
{
    static const char *const out_path[] = { "out" };
    (void)state;
    for (int unique = 0; unique < 2; unique++)
        for (uint64_t memory = 256 << 10; memory <= 16 << 20; memory *= 64)
            for (size_t bytes = 0; bytes <= 900000; bytes = bytes * 30 + 1000) {
                struct rowlist in = { 0 }, out = { 0 };
                struct tsl_err err = { 0 };
                struct tsl_shufjob_stats st;
                struct tsl_shuffler_opts o = opts(memory, unique);
                make_rows(&in, bytes, bytes, 50000);
                assert_ok(shuffle(&out, &in, &o, &err), &err);
                struct tsl_shufjob_opts job = {
                    .seed = 3,
                    .memory = 4 << 20,
                    .nthreads = 2,
                    .unique = unique,
                    .rows_given = in.bytes ? in.bytes : (const uint8_t *)"",
                    .rows_given_len = in.len,
                    .verify = true,
                    .head = UINT64_MAX,
                    .sample = 1,
                    .dirs = here,
                    .ndirs = 1,
                    .out = { .patterns = out_path },
                };
                assert_ok(tsl_shufjob_run(&job, &st, &err), &err);
                assert_true(
                    file_is("out", out.bytes ? out.bytes : (uint8_t *)"", out.len));
                assert_int_equal(st.rows_out, out.nrows);
                remove("out");
                rowlist_free(&in);
                rowlist_free(&out);
            }
}

static void the_end_stays_the_end(void **state)
{
    struct tsl_shuffler_opts o = opts(1 << 20, false);
    struct tsl_shuffler *s = NULL;
    struct tsl_err err = { 0 };
    struct tsl_slice row;
    (void)state;
    assert_ok(tsl_shuffler_create(&s, &o, &err), &err);
    assert_ok(tsl_shuffler_put(s, "abc", 3, &err), &err);
    assert_ok(tsl_shuffler_put(s, "", 0, &err), &err);
    assert_int_equal(tsl_shuffler_next(s, &row, &err), 1);
    assert_int_equal(tsl_shuffler_next(s, &row, &err), 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tsl_shuffler_next(s, &row, &err), 0);
    tsl_shuffler_destroy(s);
}

static void it_can_be_left_at_any_time(void **state)
{
    (void)state;
    struct rowlist in = { 0 };
    make_rows(&in, 2, 900000, 50000);
    for (size_t stop = 0; stop < 2 * in.nrows; stop += in.nrows / 3) {
        struct tsl_shuffler_opts o = opts(256 << 10, false);
        struct tsl_shuffler *s = NULL;
        struct tsl_err err = { 0 };
        struct tsl_slice row;
        assert_ok(tsl_shuffler_create(&s, &o, &err), &err);
        for (size_t i = 0; i < in.nrows && i < stop; i++)
            assert_ok(tsl_shuffler_put(s, in.bytes + in.rows[i].at, in.rows[i].len, &err),
                      &err);
        for (size_t i = in.nrows; i < stop; i++)
            assert_int_equal(tsl_shuffler_next(s, &row, &err), 1);
        tsl_shuffler_destroy(s);
        assert_true(folder_is_empty("."));
    }
    tsl_shuffler_destroy(NULL);
    rowlist_free(&in);
}

static void a_bit_flipped_on_disk_is_an_error(void **state)
{
    struct rowlist in = { 0 }, out = { 0 };
    struct tsl_shuffler_opts o = opts(256 << 10, false);
    struct tsl_err err = { 0 };
    (void)state;
    make_rows(&in, 2, 900000, 5000);
    fault_flip(3, 700);
    int rc = shuffle(&out, &in, &o, &err);
    fault_flip(0, 0);
    assert_err(rc, TSL_EIO, &err, "temporary block");
    rowlist_free(&in);
    rowlist_free(&out);
}

static void any_failure_is_told(void **state)
{
    struct rowlist in = { 0 };
    size_t whole = 0;
    (void)state;
    make_rows(&in, 2, 700000, 50000);
    for (unsigned nth = 1;; nth += 1 + nth / 20) {
        struct tsl_shuffler_opts o = opts(256 << 10, false);
        struct tsl_shuffler *s = NULL;
        struct tsl_err err = { 0 };
        struct tsl_slice row;
        size_t n = 0;
        fault_arm(nth, NULL);
        int rc = tsl_shuffler_create(&s, &o, &err);
        for (size_t i = 0; i < in.nrows && rc == 0; i++)
            rc = tsl_shuffler_put(s, in.bytes + in.rows[i].at, in.rows[i].len, &err);
        while (rc == 0 && (rc = tsl_shuffler_next(s, &row, &err)) == 1) {
            n++;
            rc = 0;
            whole += row.len;
        }
        tsl_shuffler_destroy(s);
        const char *call = fault_disarm();
        assert_true(folder_is_empty("."));
        if (rc == 0 && n == in.nrows) {
            if (!call)
                break;
            assert_true(fault_is_harmless(call));
        } else {
            assert_true(rc < 0 && err.code != 0);
        }
    }
    assert_true(whole >= in.len - in.nrows);
    rowlist_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_order_is_the_command_s), TEST(the_end_stays_the_end),
        TEST(it_can_be_left_at_any_time), TEST(a_bit_flipped_on_disk_is_an_error),
        TEST(any_failure_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
