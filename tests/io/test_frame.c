#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "io/frame.h"
#include "support/gendata.h"

static const struct tsl_frame frames[] = {
    { TSL_FRAME_LINE, 0 },  { TSL_FRAME_NUL, 0 },   { TSL_FRAME_PARA, 0 },
    { TSL_FRAME_FIXED, 1 }, { TSL_FRAME_FIXED, 7 }, { TSL_FRAME_FIXED, 64 },
    { TSL_FRAME_U32, 0 },
};
enum { NFRAMES = sizeof frames / sizeof *frames };

static void frames_are_parsed(void **state)
{
    struct tsl_frame f;
    (void)state;
    assert_true(tsl_frame_parse("line", &f) && f.kind == TSL_FRAME_LINE);
    assert_true(tsl_frame_parse("nul", &f) && f.kind == TSL_FRAME_NUL);
    assert_true(tsl_frame_parse("para", &f) && f.kind == TSL_FRAME_PARA);
    assert_true(tsl_frame_parse("u32", &f) && f.kind == TSL_FRAME_U32);
    assert_true(tsl_frame_parse("fixed:100", &f) && f.kind == TSL_FRAME_FIXED &&
                f.fixed == 100);
    assert_true(tsl_frame_parse("fixed:4K", &f) && f.fixed == 4096);
    assert_true(tsl_frame_parse("fixed:4294967295", &f) && f.fixed == UINT32_MAX);
    static const char *const bad[] = {
        "",        "lines",     "Line", "fixed", "fixed:", "fixed:0", "fixed:4294967296",
        "fixed:x", "fixed:50%", "u16"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(tsl_frame_parse(bad[i], &f));
}

/* All rows of p[0, n), which are whole, found with at most cap at a time. */
static void fast_rows(struct rowlist *l, const struct tsl_frame *f, const uint8_t *p,
                      size_t n, size_t cap)
{
    struct tsl_row *rows = malloc(cap * sizeof *rows);
    size_t at = 0, rounds = 0, head = tsl_frame_head(f);
    rowlist_bytes(l, p, n);
    while (at < n) {
        size_t k = 12345, before = at;
        at = tsl_frame_split(f, p, n, at, rows, cap, &k);
        assert_true(k <= cap && at > before && at <= n);
        for (size_t i = 0; i < k; i++) {
            assert_true((size_t)rows[i].at + rows[i].len <= n);
            rowlist_place(l, rows[i].at - head, rows[i].at, rows[i].len);
        }
        assert_true(++rounds <= n + 1);
    }
    free(rows);
}

/* Whole rows of the first n bytes of p are those of the slow reader that end by then; the
 * rest is finished as it finishes it. */
static void check_prefix(const struct tsl_frame *f, const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n + TSL_BATCH_SLACK); /* as large as promised */
    struct rowlist slow = { 0 }, fast = { 0 };
    if (n)
        memcpy(copy, p, n);
    size_t whole = tsl_frame_whole(f, copy, n);
    assert_true(whole <= n);
    bool good = slow_rows(&slow, f, p, n);
    size_t done = tsl_frame_finish(f, copy, n);
    if (!good) {
        assert_true(n > 0 && done == 0);
        assert_true(slow_rows(&slow, f, p, whole)); /* those before it are whole */
        fast_rows(&fast, f, copy, whole, 64);
    } else {
        assert_int_equal(done, slow.len);
        assert_true(done <= n + 2);
        if (done)
            assert_memory_equal(copy, slow.bytes, done);
        assert_int_equal(tsl_frame_whole(f, copy, done), done);
        fast_rows(&fast, f, copy, done, 64);
    }
    assert_true(rowlist_equal(&slow, &fast));
    /* what is whole ends where a row, or blank lines behind it, end; and as late as can
     * be */
    for (size_t i = 0; i < slow.nrows; i++) {
        size_t end = slow.rows[i].at + slow.rows[i].len;
        assert_false(slow.rows[i].at < whole && end + tsl_frame_tail(f) > whole + 2);
        if (f->kind != TSL_FRAME_PARA && end + tsl_frame_tail(f) <= n)
            assert_true(end + tsl_frame_tail(f) <= whole);
    }
    rowlist_free(&slow);
    rowlist_free(&fast);
    free(copy);
}

static void every_prefix_has_the_rows_of_the_slow_reader(void **state)
{
    static uint8_t p[1200];
    (void)state;
    for (int k = 0; k < NFRAMES; k++)
        for (uint64_t seed = 0; seed < 12; seed++) {
            struct gen g = { seed * 99 + (uint64_t)k };
            size_t n =
                gen_rows(&g, &frames[k], p, seed < 6 ? 150 : sizeof p, 300, seed % 3 * 9);
            for (size_t i = 0; i <= n; i += 1 + (n > 300 ? i % 7 : 0))
                check_prefix(&frames[k], p, i);
        }
}

static void bytes_of_any_kind_are_framed_as_by_the_slow_reader(void **state)
{
    static const char few[] = "\n\n\n\r\r\0ab";
    uint8_t p[40];
    struct gen g = { 77 };
    (void)state;
    for (int k = 0; k < NFRAMES; k++)
        for (int i = 0; i < 20000; i++) {
            size_t n = gen_below(&g, sizeof p);
            for (size_t j = 0; j < n; j++)
                p[j] = (uint8_t)few[gen_below(&g, 8)];
            if (frames[k].kind == TSL_FRAME_U32)
                for (size_t j = 1; j + 2 < n; j++)
                    if (p[j] < 4 || gen_below(&g, 2))
                        p[j] = 0;
            check_prefix(&frames[k], p, n);
        }
}

/* The fast path looks at 64 bytes at a time, where the table has room for 64 rows more:
 * delimiters and sizes around both borders. */
static void rows_around_the_fast_path_s_borders_are_found(void **state)
{
    static uint8_t p[64 * 6 + 8];
    static const size_t caps[] = { 1, 2, 63, 64, 65, 127, 128, 129, 1000 };
    (void)state;
    for (int k = 0; k < 2; k++)
        for (size_t n = 1; n <= sizeof p; n++)
            for (size_t every = 1; every < 140; every += every < 4 ? 1 : 15) {
                struct rowlist slow = { 0 };
                uint8_t end = k ? 0 : '\n';
                for (size_t i = 0; i < n; i++)
                    p[i] = i % every == every - 1 || i == n - 1 ? end : 'x';
                assert_true(slow_rows(&slow, &frames[k], p, n));
                assert_int_equal(tsl_frame_whole(&frames[k], p, n), n);
                for (size_t c = 0; c < sizeof caps / sizeof *caps; c++) {
                    struct rowlist fast = { 0 };
                    if (n > 200 && c > 0 && (n % 64 > 1 && n % 64 < 63))
                        continue; /* the borders are what matters */
                    fast_rows(&fast, &frames[k], p, n, caps[c]);
                    assert_true(rowlist_equal(&slow, &fast));
                    rowlist_free(&fast);
                }
                rowlist_free(&slow);
            }
}

static void splitting_goes_on_where_it_stopped(void **state)
{
    static uint8_t p[3000];
    (void)state;
    for (int k = 0; k < NFRAMES; k++)
        for (size_t cap = 1; cap < 70; cap += 1 + cap / 4) {
            struct gen g = { cap };
            struct rowlist slow = { 0 }, fast = { 0 };
            size_t n = gen_rows(&g, &frames[k], p, sizeof p, 300, 20);
            n = tsl_frame_whole(&frames[k], p, n);
            assert_true(slow_rows(&slow, &frames[k], p, n));
            fast_rows(&fast, &frames[k], p, n, cap);
            assert_true(rowlist_equal(&slow, &fast));
            assert_true(fast.nrows > 5);
            rowlist_free(&slow);
            rowlist_free(&fast);
        }
}

static void what_is_put_is_found_again(void **state)
{
    static const char *const rows[] = { "a", "row of 17 bytes..", "b" };
    (void)state;
    for (int k = 0; k < NFRAMES; k++) {
        const struct tsl_frame *f = &frames[k];
        uint8_t p[200], edge[8];
        size_t n = 0;
        struct tsl_row found[4];
        if (f->kind == TSL_FRAME_FIXED)
            continue;
        for (int i = 0; i < 3; i++) {
            size_t len = strlen(rows[i]);
            memset(edge, 0xee, sizeof edge);
            tsl_frame_put_head(f, edge, len);
            assert_int_equal(edge[tsl_frame_head(f)],
                             0xee); /* writes what it says, no more */
            memcpy(p + n, edge, tsl_frame_head(f));
            n += tsl_frame_head(f);
            memcpy(p + n, rows[i], len);
            n += len;
            memset(edge, 0xee, sizeof edge);
            tsl_frame_put_tail(f, edge);
            assert_int_equal(edge[tsl_frame_tail(f)], 0xee);
            memcpy(p + n, edge, tsl_frame_tail(f));
            n += tsl_frame_tail(f);
        }
        size_t nfound;
        assert_int_equal(tsl_frame_whole(f, p, n), n);
        assert_int_equal(tsl_frame_split(f, p, n, 0, found, 4, &nfound), n);
        assert_int_equal(nfound, 3);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(found[i].len, strlen(rows[i]));
            assert_memory_equal(p + found[i].at, rows[i], found[i].len);
        }
    }
}

static void a_carriage_return_is_part_of_its_line(void **state)
{
    static const char text[] = "a\r\n\r\n\r\nb\r\nc\r\n\r\n";
    struct tsl_row rows[8];
    size_t n;
    (void)state;
    tsl_frame_split(&frames[0], (const uint8_t *)text, strlen(text), 0, rows, 8, &n);
    assert_int_equal(n, 6);
    assert_int_equal(rows[0].len, 2);
    assert_int_equal(rows[1].len, 1);
    tsl_frame_split(&frames[2], (const uint8_t *)text, strlen(text), 0, rows, 8, &n);
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].len, 2); /* "a\r" */
    assert_int_equal(rows[1].at, 7);
    assert_int_equal(rows[1].len, 5); /* "b\r\nc\r" */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_are_parsed),
        TEST(every_prefix_has_the_rows_of_the_slow_reader),
        TEST(bytes_of_any_kind_are_framed_as_by_the_slow_reader),
        TEST(rows_around_the_fast_path_s_borders_are_found),
        TEST(splitting_goes_on_where_it_stopped),
        TEST(what_is_put_is_found_again),
        TEST(a_carriage_return_is_part_of_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
