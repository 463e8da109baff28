/* Rows drawn with replacement, from files to files: draw i is the row that the key of i
 * says, found here in a list of all rows. */
#include "support/test.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/key.h"
#include "shuf/shufrepeat.h"
#include "support/fault.h"
#include "support/gendata.h"

static const char *const temp[] = { "temp" };
static char *const in_path[] = { "in" };
static const char *const out_path[] = { "out" };
static const struct tsl_frame line = { TSL_FRAME_LINE, 0 };

static struct tsl_shufjob_opts defaults(uint64_t head)
{
    (void)mkdir("temp", 0700);
    return (struct tsl_shufjob_opts){
        .seed = 7,
        .memory = 1 << 20,
        .nthreads = 2,
        .paths = in_path,
        .npaths = 1,
        .head = head,
        .sample = 1,
        .dirs = temp,
        .ndirs = 1,
        .out = { .patterns = out_path },
    };
}

static int run(const struct tsl_shufjob_opts *o, struct tsl_shufjob_stats *st,
               struct tsl_err *err)
{
    int rc = tsl_shufrepeat_run(o, st, err);
    if (rc < 0)
        assert_int_equal(err->code, rc);
    assert_true(folder_is_empty("temp"));
    return rc;
}

/* A file of rows, and the rows. */
static void make_input(struct rowlist *l, const struct tsl_frame *f, size_t bytes,
                       size_t longest, unsigned rare)
{
    struct gen g = { 11 };
    uint8_t *p = malloc(bytes + 8);
    size_t n = gen_rows(&g, f, p, bytes, longest, rare);
    file_put("in", p, n);
    assert_true(slow_rows(l, f, p, n));
    free(p);
}

/* The first n draws as they are written with frame f; row i is draw i. */
static void slow_draws(struct rowlist *out, const struct rowlist *in, uint64_t seed,
                       uint64_t n, const struct tsl_frame *f)
{
    struct tsl_key k = tsl_key_make(seed, "draw rows");
    uint8_t edge[8];
    for (uint64_t i = 0; i < n; i++) {
        const struct rowlist_row *r = &in->rows[tsl_key_below(&k, i, in->nrows)];
        size_t at = out->len;
        tsl_frame_put_head(f, edge, r->len);
        rowlist_bytes(out, edge, tsl_frame_head(f));
        rowlist_bytes(out, in->bytes + r->at, r->len);
        tsl_frame_put_tail(f, edge);
        rowlist_bytes(out, edge, tsl_frame_tail(f));
        rowlist_place(out, r->addr, at, out->len - at);
    }
}

static void draw_i_depends_on_seed_and_rows_alone(void **state)
{
    static const struct tsl_frame frames[] = { { TSL_FRAME_LINE, 0 },
                                               { TSL_FRAME_NUL, 0 },
                                               { TSL_FRAME_PARA, 0 },
                                               { TSL_FRAME_FIXED, 10 },
                                               { TSL_FRAME_U32, 0 } };
    enum { DRAWS = 9000 };
    (void)state;
    for (size_t k = 0; k < sizeof frames / sizeof *frames; k++) {
        struct rowlist in = { 0 }, want = { 0 };
        make_input(&in, &frames[k], 600000, 60000, 400);
        slow_draws(&want, &in, 7, DRAWS, &frames[k]);
        for (uint64_t memory = 1; memory <= 64 << 20; memory = memory * 256 + 100000)
            for (unsigned threads = 1; threads <= 4; threads += 3) {
                struct tsl_shufjob_opts o = defaults(DRAWS);
                struct tsl_shufjob_stats st;
                struct tsl_err err = { 0 };
                o.memory = memory;
                o.nthreads = threads;
                o.frame_in = o.frame = frames[k];
                assert_ok(run(&o, &st, &err), &err);
                assert_true(file_is("out", want.bytes, want.len));
                assert_int_equal(st.rows_out, DRAWS);
                assert_int_equal(st.rows_read, in.nrows);
                assert_int_equal(st.bytes_out, want.len);
                assert_int_equal(st.files_out, 1);
                assert_true(memory > 1 || st.temp_bytes > 0);
            }
        rowlist_free(&in);
        rowlist_free(&want);
    }
}

static void fewer_draws_are_the_first_of_more(void **state)
{
    struct rowlist in = { 0 }, want = { 0 };
    (void)state;
    make_input(&in, &line, 5000, 300, 20);
    slow_draws(&want, &in, 7, 5000, &line);
    for (uint64_t n = 1; n <= 5000; n = n * 3 + 1) {
        struct tsl_shufjob_opts o = defaults(n);
        struct tsl_shufjob_stats st;
        struct tsl_err err = { 0 };
        assert_ok(run(&o, &st, &err), &err);
        assert_int_equal(st.rows_out, n);
        assert_true(
            file_is("out", want.bytes, want.rows[n - 1].at + want.rows[n - 1].len));
    }
    rowlist_free(&in);
    rowlist_free(&want);
}

/* Chi-square as a normal deviate (Wilson and Hilferty 1931). */
static double deviation(const unsigned *counts, size_t n, double expected)
{
    double chi2 = 0, df = (double)n - 1;
    for (size_t i = 0; i < n; i++)
        chi2 += (counts[i] - expected) * (counts[i] - expected) / expected;
    return (cbrt(chi2 / df) - (1 - 2 / (9 * df))) / sqrt(2 / (9 * df));
}

static void every_row_and_every_pair_is_as_likely(void **state)
{
    enum { ROWS = 10, DRAWS = 100001 };
    static unsigned rows[ROWS], pairs[ROWS * ROWS];
    struct tsl_shufjob_opts o = defaults(DRAWS);
    struct tsl_shufjob_stats st;
    struct tsl_err err = { 0 };
    size_t n;
    (void)state;
    file_put_text("in", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    assert_ok(run(&o, &st, &err), &err);
    char *p = (char *)file_get("out", &n);
    assert_int_equal(n, 2 * DRAWS);
    for (size_t i = 0; i < DRAWS; i++) {
        rows[p[2 * i] - '0']++;
        if (i > 0)
            pairs[(p[2 * i - 2] - '0') * ROWS + (p[2 * i] - '0')]++;
    }
    free(p);
    assert_true(fabs(deviation(rows, ROWS, (double)DRAWS / ROWS)) < 4);
    assert_true(fabs(deviation(pairs, ROWS * ROWS, (DRAWS - 1.0) / (ROWS * ROWS))) < 4);
}

static void a_row_larger_than_the_memory_comes_as_often_as_it_is_drawn(void **state)
{
    enum { LONG = 3 << 20, DRAWS = 12 };
    struct rowlist in = { 0 }, want = { 0 };
    struct tsl_shufjob_opts o = defaults(DRAWS);
    struct tsl_shufjob_stats st;
    struct tsl_err err = { 0 };
    struct gen g = { 3 };
    uint8_t *p = malloc(LONG + 10);
    (void)state;
    memcpy(p, "a\n\nb\n", 5);
    for (size_t i = 0; i < LONG; i++)
        p[5 + i] = (uint8_t)('a' + gen_below(&g, 26));
    file_put("in", p, LONG + 5);
    assert_true(slow_rows(&in, &line, p, LONG + 5));
    assert_int_equal(in.nrows, 4);
    slow_draws(&want, &in, 7, DRAWS, &line);
    assert_true(want.len > 2 * LONG);
    o.memory = 256 << 10;
    assert_ok(run(&o, &st, &err), &err);
    assert_true(file_is("out", want.bytes, want.len));
    assert_int_equal(st.row_bytes_out, want.len - DRAWS);
    assert_true(st.temp_peak_bytes > LONG / 2);
    free(p);
    rowlist_free(&in);
    rowlist_free(&want);
}

static void no_draw_opens_no_input(void **state)
{
    static char *const nowhere[] = { "nowhere" };
    struct tsl_shufjob_opts o = defaults(0);
    struct tsl_shufjob_stats st;
    struct tsl_err err = { 0 };
    (void)state;
    o.paths = nowhere;
    assert_ok(run(&o, &st, &err), &err);
    assert_true(file_is_text("out", ""));
    assert_int_equal(st.rows_out, 0);
}

static void nothing_to_draw_from_is_an_error(void **state)
{
    struct tsl_shufjob_opts o = defaults(5);
    struct tsl_shufjob_stats st;
    struct tsl_err err = { 0 };
    (void)state;
    file_put_text("in", "");
    assert_err(run(&o, &st, &err), TSL_EUSAGE, &err, "no lines to repeat");
    assert_false(file_exists("out"));
    file_put_text("in", "only a header\n");
    o.header_rows = 1;
    assert_err(run(&o, &st, &err), TSL_EUSAGE, &err, "no lines to repeat");
    assert_false(file_exists("out"));
}

static void rows_may_be_given_in_memory(void **state)
{
    struct tsl_shufjob_opts o = defaults(100);
    struct tsl_shufjob_stats st;
    struct tsl_err err = { 0 };
    struct rowlist in = { 0 }, want = { 0 };
    static const uint8_t rows[] = "one\ntwo\nthree\n";
    (void)state;
    assert_true(slow_rows(&in, &line, rows, sizeof rows - 1));
    slow_draws(&want, &in, 7, 100, &line);
    o.rows_given = rows;
    o.rows_given_len = sizeof rows - 1;
    assert_ok(run(&o, &st, &err), &err);
    assert_true(file_is("out", want.bytes, want.len));
    rowlist_free(&in);
    rowlist_free(&want);
}

static void shards_have_the_header_and_laid_end_to_end_are_the_draws(void **state)
{
    static const char head[] = "name\n";
    static const char *const pattern[] = { "out-%d" };
    struct rowlist in = { 0 }, want = { 0 };
    static const uint8_t text[] = "name\na\nbb\nccc\ndddd\n";
    (void)state;
    file_put("in", text, sizeof text - 1);
    assert_true(slow_rows(&in, &line, text + sizeof head - 1, sizeof text - sizeof head));
    slow_draws(&want, &in, 7, 1000, &line);
    for (int kind = 0; kind < 2; kind++) {
        struct tsl_shufjob_opts o = defaults(1000);
        struct tsl_shufjob_stats st;
        struct tsl_err err = { 0 };
        struct rowlist all = { 0 };
        o.header_rows = 1;
        o.out.patterns = pattern;
        o.out.shard_rows = kind == 0 ? 300 : 0;
        o.out.shard_bytes = kind == 1 ? 777 : 0;
        assert_ok(run(&o, &st, &err), &err);
        for (uint64_t i = 0; i < st.files_out; i++) {
            char name[40];
            size_t n;
            sprintf(name, "out-%d", (int)i);
            uint8_t *p = file_get(name, &n);
            assert_non_null(p);
            assert_true(n > sizeof head - 1 && memcmp(p, head, sizeof head - 1) == 0);
            assert_true(kind == 0 || n <= 777 + sizeof head - 1);
            rowlist_bytes(&all, p + sizeof head - 1, n - (sizeof head - 1));
            free(p);
            unlink(name);
        }
        assert_true(kind == 1 || st.files_out == 4);
        assert_int_equal(all.len, want.len);
        assert_memory_equal(all.bytes, want.bytes, want.len);
        rowlist_free(&all);
    }
    rowlist_free(&in);
    rowlist_free(&want);
}

/* A reader that takes so many bytes of "fifo" into "got" and goes away. */
static pid_t reader(size_t bytes)
{
    pid_t child = fork();
    if (child == 0) {
        char buf[4096];
        FILE *from = fopen("fifo", "r"), *to = fopen("got", "w");
        bool good = from && to;
        while (good && bytes > 0) {
            size_t k = fread(buf, 1, bytes < sizeof buf ? bytes : sizeof buf, from);
            good = k > 0 && fwrite(buf, 1, k, to) == k;
            bytes -= k;
        }
        good = good && fclose(to) == 0;
        _exit(good ? 0 : 1);
    }
    return child;
}

static void without_a_count_it_goes_on_until_the_output_is_closed(void **state)
{
    enum { BYTES = 1 << 20 };
    static const char *const fifo[] = { "fifo" };
    struct rowlist in = { 0 }, want = { 0 };
    struct tsl_shufjob_opts o = defaults(UINT64_MAX);
    struct tsl_shufjob_stats st;
    struct tsl_err err = { 0 };
    int status = -1;
    (void)state;
    void (*old)(int) = signal(SIGPIPE, SIG_IGN);
    make_input(&in, &line, 2000, 100, 20);
    slow_draws(&want, &in, 7, BYTES, &line); /* as many rows as bytes: enough */
    assert_int_equal(mkfifo("fifo", 0600), 0);
    pid_t child = reader(BYTES);
    assert_true(child > 0);
    o.out.patterns = fifo;
    int rc = run(&o, &st, &err);
    assert_int_equal(waitpid(child, &status, 0), child);
    (void)signal(SIGPIPE, old);
    assert_err(rc, TSL_EIO, &err, "Broken pipe");
    assert_int_equal(status, 0);
    assert_true(want.len > BYTES);
    assert_true(file_is("got", want.bytes, BYTES));
    rowlist_free(&in);
    rowlist_free(&want);
}

static void any_failure_leaves_no_file(void **state)
{
    struct rowlist in = { 0 }, want = { 0 };
    (void)state;
    make_input(&in, &line, 300000, 30000, 400); /* some of it goes to disk */
    slow_draws(&want, &in, 7, 500, &line);
    for (unsigned nth = 1;; nth += 1 + nth / 25) {
        struct tsl_shufjob_opts o = defaults(500);
        struct tsl_shufjob_stats st;
        struct tsl_err err = { 0 };
        o.memory = 256 << 10;
        fault_arm(nth, NULL);
        int rc = tsl_shufrepeat_run(&o, &st, &err);
        const char *call = fault_disarm();
        if (rc < 0)
            assert_true(err.code < 0);
        assert_true(folder_is_empty("temp"));
        assert_int_equal(folder_count("."), file_exists("out") ? 3 : 2);
        assert_true(!file_exists("out") || file_is("out", want.bytes, want.len));
        assert_true(rc < 0 || file_exists("out"));
        (void)remove("out");
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        /* preadv: of a file's first bytes, to guess how long it is; pwritev: to temporary
         * space, of a block that turned out not to be drawn from any more */
        assert_true(rc < 0 || fault_is_harmless(call) || strcmp(call, "preadv") == 0 ||
                    strcmp(call, "pwritev") == 0);
    }
    rowlist_free(&in);
    rowlist_free(&want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(draw_i_depends_on_seed_and_rows_alone),
        TEST(fewer_draws_are_the_first_of_more),
        TEST(every_row_and_every_pair_is_as_likely),
        TEST(a_row_larger_than_the_memory_comes_as_often_as_it_is_drawn),
        TEST(no_draw_opens_no_input),
        TEST(nothing_to_draw_from_is_an_error),
        TEST(rows_may_be_given_in_memory),
        TEST(shards_have_the_header_and_laid_end_to_end_are_the_draws),
        TEST(without_a_count_it_goes_on_until_the_output_is_closed),
        TEST(any_failure_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
