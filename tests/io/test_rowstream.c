#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "io/rowstream.h"
#include "support/fault.h"
#include "support/gendata.h"

enum { FILE_MAX = 60000, WINDOW = 8 << 20 };

static const struct tsl_frame frames[] = {
    { TSL_FRAME_LINE, 0 },   { TSL_FRAME_NUL, 0 },      { TSL_FRAME_PARA, 0 },
    { TSL_FRAME_FIXED, 10 }, { TSL_FRAME_FIXED, 9000 }, { TSL_FRAME_U32, 0 }
};

static int collect(struct rowlist *l, const struct tsl_inputs_opts *o,
                   struct tsl_err *err)
{
    struct tsl_rowstream r;
    struct tsl_rowpiece p;
    size_t at = 0;
    bool inside = false;
    int rc = tsl_rowstream_init(&r, o, err);
    if (rc < 0)
        return rc;
    while ((rc = tsl_rowstream_next(&r, &p, err)) == 1) {
        assert_int_equal(p.first, !inside);
        if (p.first)
            at = l->len;
        rowlist_bytes(l, p.data, p.len);
        if (p.last)
            rowlist_place(l, p.addr, at, l->len - at);
        inside = !p.last;
    }
    if (rc == 0)
        assert_false(inside);
    tsl_rowstream_fini(&r);
    return rc;
}

static void rows_come_one_by_one_as_the_slow_reader_finds_them(void **state)
{
    static uint8_t p[FILE_MAX];
    char *paths[] = { "x", "y" };
    (void)state;
    for (size_t k = 0; k < sizeof frames / sizeof *frames; k++)
        for (uint64_t seed = 0; seed < 4; seed++) {
            struct gen g = { seed };
            struct rowlist slow = { 0 };
            size_t n = gen_rows(&g, &frames[k], p, FILE_MAX, 20000, seed % 2 ? 50 : 500);
            file_put("x", p, n);
            assert_true(slow_rows(&slow, &frames[k], p, n));
            n = gen_rows(&g, &frames[k], p, FILE_MAX / 2, 100, 0);
            file_put("y", p, n);
            assert_true(slow_rows(&slow, &frames[k], p, n));
            if (frames[k].fixed < 1000)
                assert_true(slow.nrows > TSL_ROWSTREAM_ROWS);
            for (size_t batch = 4096; batch < 100000; batch *= 4) {
                struct tsl_inputs_opts o = { .paths = paths,
                                             .npaths = 2,
                                             .frame = frames[k],
                                             .batch_bytes = batch,
                                             .window_max = WINDOW };
                struct rowlist fast = { 0 };
                struct tsl_err err = { 0 };
                assert_ok(collect(&fast, &o, &err), &err);
                assert_true(rowlist_equal(&slow, &fast));
                rowlist_free(&fast);
            }
            rowlist_free(&slow);
        }
}

static void an_error_of_the_inputs_is_passed_on(void **state)
{
    char *paths[] = { "x", "missing" };
    struct rowlist l = { 0 };
    struct tsl_err err = { 0 };
    struct tsl_inputs_opts o = { .paths = paths,
                                 .npaths = 2,
                                 .frame = frames[0],
                                 .batch_bytes = 4096,
                                 .window_max = WINDOW };
    (void)state;
    file_put_text("x", "a\n");
    assert_err(collect(&l, &o, &err), TSL_EIO, &err, "missing");
    rowlist_free(&l);
}

static void any_failure_to_begin_is_told(void **state)
{
    char *paths[] = { "x" };
    struct tsl_inputs_opts o = { .paths = paths,
                                 .npaths = 1,
                                 .frame = frames[0],
                                 .batch_bytes = 4096,
                                 .window_max = WINDOW };
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_rowstream r;
        struct tsl_err err = { 0 };
        fault_arm(nth, NULL);
        int rc = tsl_rowstream_init(&r, &o, &err);
        const char *call = fault_disarm();
        if (!call) {
            assert_ok(rc, &err);
            tsl_rowstream_fini(&r);
            assert_true(nth > 3);
            break;
        }
        assert_err(rc, TSL_ENOMEM, &err, "memory");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_come_one_by_one_as_the_slow_reader_finds_them),
        TEST(an_error_of_the_inputs_is_passed_on),
        TEST(any_failure_to_begin_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
