/* Whole shuffles, from files to files.  The order itself is looked at in test_uniform.c,
 * and against a plain sort in test_shufcore.c. */
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/key.h"
#include "shuf/shufjob.h"
#include "support/fault.h"
#include "support/gendata.h"

static const char *const temp[] = { "temp" };

struct keyed {
    uint64_t key;
    const struct rowlist_row *row;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->row->addr < y->row->addr ? -1 : x->row->addr > y->row->addr;
}

/* The rows in the order of seed, as lists: bytes[0, len) as they are written with frame
 * f. */
static void slow_shuffle(struct rowlist *out, const struct rowlist *in, uint64_t seed,
                         const struct tsl_frame *f)
{
    struct keyed *v = malloc((in->nrows + 1) * sizeof *v);
    struct tsl_key k = tsl_key_make(seed, "shuffle rows");
    uint8_t edge[8];
    for (size_t i = 0; i < in->nrows; i++)
        v[i] = (struct keyed){ tsl_key_at(&k, in->rows[i].addr), &in->rows[i] };
    qsort(v, in->nrows, sizeof *v, by_key);
    for (size_t i = 0; i < in->nrows; i++) {
        const struct rowlist_row *r = v[i].row;
        size_t at = out->len;
        tsl_frame_put_head(f, edge, r->len);
        rowlist_bytes(out, edge, tsl_frame_head(f));
        rowlist_bytes(out, in->bytes + r->at, r->len);
        tsl_frame_put_tail(f, edge);
        rowlist_bytes(out, edge, tsl_frame_tail(f));
        rowlist_place(out, r->addr, at, out->len - at); /* the row as it is written */
    }
    free(v);
}

static char *const in_path[] = { "in" };
static const char *const out_path[] = { "out" };

static struct tsl_shufjob_opts defaults(void)
{
    (void)mkdir("temp", 0700);
    return (struct tsl_shufjob_opts){
        .seed = 7,
        .memory = 1 << 20,
        .nthreads = 2,
        .paths = in_path,
        .npaths = 1,
        .verify = true,
        .head = UINT64_MAX,
        .sample = 1,
        .dirs = temp,
        .ndirs = 1,
        .out = { .patterns = out_path },
    };
}

static int run(const struct tsl_shufjob_opts *o, struct tsl_shufjob_stats *st,
               struct tsl_err *err)
{
    int rc = tsl_shufjob_run(o, st, err);
    if (rc < 0)
        assert_int_equal(err->code, rc);
    assert_true(folder_is_empty("temp"));
    return rc;
}

/* A file of rows under name, and the rows. */
static void make_input(const char *name, struct rowlist *l, const struct tsl_frame *f,
                       uint64_t seed, size_t bytes, size_t longest, unsigned rare)
{
    struct gen g = { seed };
    uint8_t *p = malloc(bytes + 8);
    size_t n = gen_rows(&g, f, p, bytes, longest, rare);
    file_put(name, p, n);
    assert_true(slow_rows(l, f, p, n));
    free(p);
}

static void output_is_the_rows_by_their_keys(void **state)
{
    static const struct tsl_frame frames[] = { { TSL_FRAME_LINE, 0 },
                                               { TSL_FRAME_NUL, 0 },
                                               { TSL_FRAME_PARA, 0 },
                                               { TSL_FRAME_FIXED, 10 },
                                               { TSL_FRAME_U32, 0 } };
    (void)state;
    for (size_t k = 0; k < sizeof frames / sizeof *frames; k++) {
        struct rowlist in = { 0 }, want = { 0 };
        make_input("in", &in, &frames[k], k, 600000, 60000, 400);
        slow_shuffle(&want, &in, 7, &frames[k]);
        for (uint64_t memory = 1; memory <= 64 << 20; memory = memory * 256 + 100000)
            for (unsigned threads = 1; threads <= 4; threads += 3) {
                struct tsl_shufjob_opts o = defaults();
                struct tsl_shufjob_stats st;
                struct tsl_err err = { 0 };
                o.memory = memory;
                o.nthreads = threads;
                o.frame_in = o.frame = frames[k];
                assert_ok(run(&o, &st, &err), &err);
                assert_true(file_is("out", want.bytes, want.len));
                assert_int_equal(st.rows_out, in.nrows);
                assert_int_equal(st.rows_read, in.nrows);
                assert_int_equal(st.bytes_out, want.len);
                assert_int_equal(st.files_out, 1);
                assert_true(tsl_u128_equal(st.sum_out, st.in.sum));
            }
        rowlist_free(&in);
        rowlist_free(&want);
    }
}

static void temporary_data_may_be_compressed_or_spread(void **state)
{
    static const char *const dirs[] = { "temp", "temp2", "temp" };
    struct rowlist in = { 0 }, want = { 0 };
    const struct tsl_frame line = { TSL_FRAME_LINE, 0 };
    (void)state;
    make_input("in", &in, &line, 1, 6000000, 20000, 2000);
    slow_shuffle(&want, &in, 7, &line);
    uint64_t raw_bytes = 0;
    for (int kind = 0; kind < 5; kind++) {
        struct tsl_shufjob_opts o = defaults();
        struct tsl_shufjob_stats st;
        struct tsl_err err = { 0 };
        (void)mkdir("temp2", 0700);
        o.memory =
            3 << 20; /* less of it has blocks of a page, that nothing makes smaller */
        o.temp_codec = (enum tsl_codec)(kind % 3);
        o.temp_level = 1;
        o.temp_auto = kind == 3;
        o.dirs = dirs;
        o.ndirs = kind == 4 ? 3 : 1;
        assert_ok(run(&o, &st, &err), &err);
        assert_true(file_is("out", want.bytes, want.len));
        assert_true(st.blocks_spilled > 50 && st.temp_bytes > 0);
        assert_true(st.temp_peak_bytes <= st.temp_bytes);
        if (kind == 0)
            raw_bytes = st.temp_bytes;
        if (kind == 1 || kind == 2)
            assert_true(st.temp_compressed && st.temp_bytes < raw_bytes);
        assert_true(folder_is_empty("temp2"));
    }
    rowlist_free(&in);
    rowlist_free(&want);
}

static void the_head_is_the_head_of_the_whole(void **state)
{
    struct rowlist in = { 0 }, want = { 0 };
    const struct tsl_frame line = { TSL_FRAME_LINE, 0 };
    (void)state;
    make_input("in", &in, &line, 2, 800000, 40000, 500);
    slow_shuffle(&want, &in, 7, &line);
    for (uint64_t head = 0; head <= in.nrows + 10; head = head * 6 + 1)
        for (int memory = 0; memory < 2; memory++) {
            struct tsl_shufjob_opts o = defaults();
            struct tsl_shufjob_stats st;
            struct tsl_err err = { 0 };
            uint64_t n = head < in.nrows ? head : in.nrows;
            o.memory = memory ? 256 << 10 : 16 << 20;
            o.head = head;
            assert_ok(run(&o, &st, &err), &err);
            assert_int_equal(st.rows_out, n);
            size_t end = n == in.nrows ? want.len : want.rows[n].at;
            assert_true(file_is("out", want.bytes, end));
        }
    rowlist_free(&in);
    rowlist_free(&want);
}

static void a_sample_is_some_of_the_rows_in_their_order(void **state)
{
    static const double shares[] = { 0, 0.001, 0.1, 0.5, 0.999 };
    struct rowlist in = { 0 }, want = { 0 };
    const struct tsl_frame line = { TSL_FRAME_LINE, 0 };
    (void)state;
    make_input("in", &in, &line, 3, 400000, 4000, 500);
    slow_shuffle(&want, &in, 7, &line);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        struct tsl_shufjob_opts o = defaults();
        struct tsl_shufjob_stats st;
        struct tsl_err err = { 0 };
        o.sample = shares[i];
        assert_ok(run(&o, &st, &err), &err);
        double n = (double)in.nrows, sigma = n * shares[i] * (1 - shares[i]);
        double off = (double)st.rows_out - n * shares[i];
        assert_true(off * off <= 25 * sigma + 1e-9);
        assert_true(
            file_is("out", want.bytes,
                    st.rows_out == in.nrows ? want.len : want.rows[st.rows_out].at));
    }
    rowlist_free(&in);
    rowlist_free(&want);
}

static void shards_and_splits_laid_end_to_end_are_the_whole(void **state)
{
    static const struct tsl_outset_split splits[] = { { "a", 0.7 },
                                                      { "b", 0.1 },
                                                      { "c", 0.2 } };
    static const char *const pattern[] = { "%s-%02d" };
    struct rowlist in = { 0 }, want = { 0 };
    const struct tsl_frame line = { TSL_FRAME_LINE, 0 };
    (void)state;
    make_input("in", &in, &line, 4, 300000, 30000, 300);
    slow_shuffle(&want, &in, 7, &line);
    for (int kind = 0; kind < 3; kind++) {
        struct tsl_shufjob_opts o = defaults();
        struct tsl_shufjob_stats st;
        struct tsl_err err = { 0 };
        struct rowlist all = { 0 };
        o.out.patterns = pattern;
        o.out.splits = splits;
        o.out.nsplits = 3;
        o.out.shards = kind == 0 ? 4 : 0;
        o.out.shard_rows = kind == 1 ? 1000 : 0;
        o.out.shard_bytes = kind == 2 ? 30000 : 0;
        assert_ok(run(&o, &st, &err), &err);
        assert_int_equal(st.split_rows[0] + st.split_rows[1] + st.split_rows[2],
                         in.nrows);
        for (int s = 0; s < 3; s++)
            for (int i = 0;; i++) {
                char name[20];
                size_t n;
                sprintf(name, "%s-%02d", splits[s].name, i);
                uint8_t *p = file_get(name, &n);
                if (!p)
                    break;
                if (kind == 2) /* one row too large for it has a shard of its own */
                    assert_true(n <= 30000 || memchr(p, '\n', n) == p + n - 1);
                rowlist_bytes(&all, p, n);
                free(p);
                unlink(name);
            }
        assert_int_equal(all.len, want.len);
        assert_memory_equal(all.bytes, want.bytes, want.len);
        rowlist_free(&all);
    }
    rowlist_free(&in);
    rowlist_free(&want);
}

/* Row i of each aligned file is where row i of the input is. */
static void aligned_files_go_the_same_way(void **state)
{
    static const char *const outs[] = { "out", "out1", "out2" };
    char *aligned[] = { "in1", "in2" };
    const struct tsl_frame line = { TSL_FRAME_LINE, 0 };
    (void)state;
    for (size_t longest = 100; longest < 100000; longest *= 20) {
        struct rowlist in = { 0 };
        make_input("in", &in, &line, 5, 150000, longest, 60);
        FILE *f1 = fopen("in1", "w"), *f2 = fopen("in2", "w");
        for (size_t i = 0; i < in.nrows; i++) {
            int wide = i % 97 == 5 ? (int)longest : 3;
            fprintf(f1, "%0*zu\n", wide, i); /* its number */
            fprintf(f2, "%s\n", i % 3 ? "" : "x");
        }
        fclose(f1);
        fclose(f2);
        for (int memory = 0; memory < 2; memory++) {
            struct rowlist want = { 0 };
            struct tsl_shufjob_opts o = defaults();
            struct tsl_shufjob_stats st;
            struct tsl_err err = { 0 };
            slow_shuffle(&want, &in, 7, &line);
            o.memory = memory ? 16 << 20 : 256 << 10;
            o.aligned = aligned;
            o.naligned = 2;
            o.out.patterns = outs;
            assert_ok(run(&o, &st, &err), &err);
            assert_true(file_is("out", want.bytes, want.len));
            assert_int_equal(st.files_out, 3);
            size_t n, len1, len2;
            char *p1 = (char *)file_get("out1", &len1),
                 *p2 = (char *)file_get("out2", &len2);
            char *at1 = p1, *at2 = p2;
            for (n = 0; n < want.nrows; n++) {
                size_t number = strtoull(at1, &at1, 10);
                assert_true(number < in.nrows && *at1++ == '\n');
                assert_true(in.rows[number].addr == want.rows[n].addr);
                assert_true((*at2 == 'x') == (number % 3 == 0));
                at2 += number % 3 == 0;
                assert_true(*at2++ == '\n');
            }
            assert_true(at1 == p1 + len1 && at2 == p2 + len2);
            free(p1);
            free(p2);
            rowlist_free(&want);
        }
        rowlist_free(&in);
    }
}

static void aligned_files_of_other_length_are_refused(void **state)
{
    static const char *const outs[] = { "out", "out1" };
    char *aligned[] = { "in1" };
    (void)state;
    file_put_text("in", "a\nb\nc\n");
    for (int more = 0; more < 2; more++) {
        struct tsl_shufjob_opts o = defaults();
        struct tsl_shufjob_stats st;
        struct tsl_err err = { 0 };
        file_put_text("in1", more ? "1\n2\n3\n4\n" : "1\n2\n");
        o.aligned = aligned;
        o.naligned = 1;
        o.out.patterns = outs;
        assert_err(run(&o, &st, &err), TSL_EFORMAT, &err,
                   more ? "in has 3 rows, in1 has more" : "in1 has 2 rows, in has more");
        assert_false(file_exists("out") || file_exists("out1"));
    }
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void unique_rows_come_once_in_an_order_by_content(void **state)
{
    enum { ROWS = 30000, DIFFERENT = 5000 };
    FILE *f = fopen("in", "w"), *f2 = fopen("in2", "w");
    struct gen g = { 1 };
    (void)state;
    for (int i = 0; i < ROWS; i++)
        fprintf(f, "row %d\n", i < DIFFERENT ? i : (int)gen_below(&g, DIFFERENT));
    for (int i = DIFFERENT; i-- > 0;) /* the same rows, once, from the end */
        fprintf(f2, "row %d\n", i);
    fclose(f);
    fclose(f2);
    size_t first_len = 0, n;
    char *first = NULL;
    for (int k = 0; k < 3; k++) {
        char *other[] = { "in2" };
        struct tsl_shufjob_opts o = defaults();
        struct tsl_shufjob_stats st;
        struct tsl_err err = { 0 };
        o.unique = true;
        o.memory = k ? 16 << 20 : 256 << 10;
        if (k == 2)
            o.paths = other;
        assert_ok(run(&o, &st, &err), &err);
        assert_int_equal(st.rows_out, DIFFERENT);
        assert_int_equal(st.rows_dropped, k == 2 ? 0 : ROWS - DIFFERENT);
        char *p = (char *)file_get("out", &n);
        if (!first) {
            first = p;
            first_len = n;
            continue;
        }
        assert_int_equal(n, first_len);
        assert_memory_equal(p, first, n);
        free(p);
    }
    char **lines = malloc(DIFFERENT * sizeof *lines);
    size_t k = 0;
    for (char *p = strtok(first, "\n"); p; p = strtok(NULL, "\n"))
        lines[k++] = p;
    assert_int_equal(k, DIFFERENT);
    qsort(lines, k, sizeof *lines, compare_lines);
    for (size_t i = 1; i < k; i++)
        assert_string_not_equal(lines[i], lines[i - 1]);
    free(lines);
    free(first);
}

/* With unique, shards and splits are of the rows that are left. */
static void unique_rows_are_split_by_their_own_number(void **state)
{
    static const struct tsl_outset_split splits[] = { { "a", 0.5 }, { "b", 0.5 } };
    struct tsl_shufjob_opts o = defaults();
    struct tsl_shufjob_stats st;
    struct tsl_err err = { 0 };
    FILE *f = fopen("in", "w");
    (void)state;
    for (int i = 0; i < 1000; i++)
        fprintf(f, "%d\n", i % 100);
    fclose(f);
    o.unique = true;
    o.out.patterns = NULL;
    o.out.splits = splits;
    o.out.nsplits = 2;
    assert_ok(run(&o, &st, &err), &err);
    assert_int_equal(st.split_rows[0], 50);
    assert_int_equal(st.split_rows[1], 50);
}

static void the_header_stays_in_front(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    file_put_text("in", "h1\nh2\nx\ny\n");
    for (uint64_t rows = 0; rows < 6; rows++) {
        struct tsl_shufjob_opts o = defaults();
        struct tsl_shufjob_stats st;
        size_t n;
        o.header_rows = rows;
        assert_ok(run(&o, &st, &err), &err);
        char *p = (char *)file_get("out", &n);
        assert_int_equal(n, 10);
        assert_memory_equal(p, "h1\nh2\nx\ny\n",
                            rows > 2 ? (rows > 3 ? 10 : 8) : 3 * rows);
        assert_int_equal(st.rows_out, rows < 4 ? 4 - rows : 0);
        free(p);
    }
}

static void frames_of_input_and_output_may_differ(void **state)
{
    const struct tsl_frame line = { TSL_FRAME_LINE, 0 }, u32 = { TSL_FRAME_U32, 0 };
    struct rowlist in = { 0 }, want = { 0 };
    struct tsl_shufjob_opts o = defaults();
    struct tsl_shufjob_stats st;
    struct tsl_err err = { 0 };
    (void)state;
    make_input("in", &in, &line, 6, 300000, 50000, 200);
    slow_shuffle(&want, &in, 7, &u32);
    o.memory = 256 << 10;
    o.frame = u32;
    assert_ok(run(&o, &st, &err), &err);
    assert_true(file_is("out", want.bytes, want.len));
    rowlist_free(&in);
    rowlist_free(&want);
}

static void long_rows_stay_in_their_files(void **state)
{
    static const struct tsl_frame frames[] = { { TSL_FRAME_LINE, 0 },
                                               { TSL_FRAME_NUL, 0 },
                                               { TSL_FRAME_PARA, 0 },
                                               { TSL_FRAME_FIXED, 1500000 },
                                               { TSL_FRAME_U32, 0 } };
    static char *const paths[] = { "in1", "in2", "in3" };
    (void)state;
    for (size_t k = 0; k < sizeof frames / sizeof *frames; k++) {
        struct rowlist in = { 0 }, want = { 0 };
        size_t n;
        make_input("in", &in, &frames[k], k, 12000000, 3500000, 20);
        slow_shuffle(&want, &in, 7, &frames[k]);
        uint8_t *p = file_get("in", &n);
        size_t cut = in.rows[in.nrows / 3].addr, cut2 = in.rows[in.nrows * 3 / 4].addr;
        file_put("in1", p, cut);
        file_put("in2", p + cut, cut2 - cut);
        /* the last row's end is supplied */
        file_put("in3", p + cut2, n - cut2 - (frames[k].kind < TSL_FRAME_PARA));
        free(p);
        for (unsigned threads = 1; threads <= 3; threads += 2) {
            struct tsl_shufjob_opts o = defaults();
            struct tsl_shufjob_stats st;
            struct tsl_err err = { 0 };
            o.paths = paths;
            o.npaths = 3;
            o.memory = threads == 1 ? 1 : 2 << 20;
            o.nthreads = threads;
            o.frame_in = o.frame = frames[k];
            assert_ok(run(&o, &st, &err), &err);
            assert_true(file_is("out", want.bytes, want.len));
            assert_true(st.temp_bytes < in.len * 9 / 10); /* of each, one MiB */
        }
        rowlist_free(&in);
        rowlist_free(&want);
    }
}

static void a_bit_flipped_on_disk_makes_no_output(void **state)
{
    struct rowlist in = { 0 };
    const struct tsl_frame line = { TSL_FRAME_LINE, 0 };
    (void)state;
    make_input("in", &in, &line, 8, 1200000, 3000, 500);
    /* a plain file is read by read and preadv, too, and its bytes are what they are:
     * those of temporary blocks come after its end */
    for (unsigned nth = 300; nth < 340; nth += 7) {
        struct tsl_shufjob_opts o = defaults();
        struct tsl_shufjob_stats st;
        struct tsl_err err = { 0 };
        o.memory = 256 << 10;
        o.rows_given = in.bytes; /* so that only temporary blocks are read */
        o.rows_given_len = in.len;
        fault_flip(nth / 10 - 29, 500 + nth);
        int rc = run(&o, &st, &err);
        fault_flip(0, 0);
        assert_err(rc, TSL_EIO, &err, "temporary block");
        assert_false(file_exists("out"));
    }
    rowlist_free(&in);
}

static void any_failure_leaves_no_file(void **state)
{
    struct rowlist in = { 0 }, want = { 0 };
    const struct tsl_frame line = { TSL_FRAME_LINE, 0 };
    (void)state;
    make_input("in", &in, &line, 9, 700000, 60000, 500);
    slow_shuffle(&want, &in, 7, &line);
    for (unsigned threads = 1; threads <= 2; threads++)
        for (unsigned nth = 1;; nth = fault_next(nth) + nth / 25) {
            struct tsl_shufjob_opts o = defaults();
            struct tsl_shufjob_stats st;
            struct tsl_err err = { 0 };
            o.memory = 256 << 10;
            o.nthreads = threads;
            fault_arm(nth, NULL);
            int rc = run(&o, &st, &err);
            const char *call = fault_disarm();
            if (rc == 0 || file_exists("out"))
                assert_true(file_is("out", want.bytes, want.len));
            unlink("out");
            assert_int_equal(folder_count("."), 2); /* in, temp */
            if (!call) {
                assert_ok(rc, &err);
                break;
            }
            /* preadv: of a file's first bytes, to guess how long it is */
            assert_true(rc < 0 || fault_is_harmless(call) || strcmp(call, "preadv") == 0);
        }
    rowlist_free(&in);
    rowlist_free(&want);
}

static void short_and_interrupted_transfers_change_nothing(void **state)
{
    struct rowlist in = { 0 }, want = { 0 };
    const struct tsl_frame line = { TSL_FRAME_LINE, 0 };
    (void)state;
    make_input("in", &in, &line, 10, 500000, 20000, 500);
    slow_shuffle(&want, &in, 7, &line);
    for (int interrupt = 0; interrupt < 2; interrupt++) {
        struct tsl_shufjob_opts o = defaults();
        struct tsl_shufjob_stats st;
        struct tsl_err err = { 0 };
        o.memory = 256 << 10;
        fault_transfers(5000, interrupt);
        int rc = run(&o, &st, &err);
        fault_transfers(0, false);
        assert_ok(rc, &err);
        assert_true(file_is("out", want.bytes, want.len));
    }
    rowlist_free(&in);
    rowlist_free(&want);
}

static void progress_counts_to_the_end(void **state)
{
    static struct tsl_progress progress;
    struct rowlist in = { 0 };
    const struct tsl_frame line = { TSL_FRAME_LINE, 0 };
    struct tsl_shufjob_opts o = defaults();
    struct tsl_shufjob_stats st;
    struct tsl_err err = { 0 };
    (void)state;
    make_input("in", &in, &line, 11, 700000, 9000, 500);
    o.memory = 256 << 10;
    o.progress = &progress;
    assert_ok(run(&o, &st, &err), &err);
    assert_int_equal(progress.phase, TSL_PHASE_FINISH);
    assert_int_equal(progress.file_bytes_total, in.len);
    assert_int_equal(progress.file_bytes_read, in.len);
    assert_int_equal(progress.rows_in, in.nrows);
    assert_int_equal(progress.bytes_in, in.len - in.nrows);
    assert_int_equal(progress.rows_out, in.nrows);
    assert_int_equal(progress.bytes_out, in.len);
    assert_int_equal(progress.bytes_to_write, in.len);
    assert_int_equal(progress.temp_bytes, 0);
    rowlist_free(&in);
}

static void the_disk_can_be_probed(void **state)
{
    double w = 0, r = 0;
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(tsl_shufjob_probe(".", &w, &r, &err), &err);
    assert_true(w > 0 && r > 0);
    assert_true(folder_is_empty("."));
    assert_err(tsl_shufjob_probe("nodir", &w, &r, &err), TSL_EIO, &err, "nodir");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(output_is_the_rows_by_their_keys),
        TEST(temporary_data_may_be_compressed_or_spread),
        TEST(the_head_is_the_head_of_the_whole),
        TEST(a_sample_is_some_of_the_rows_in_their_order),
        TEST(shards_and_splits_laid_end_to_end_are_the_whole),
        TEST(aligned_files_go_the_same_way),
        TEST(aligned_files_of_other_length_are_refused),
        TEST(unique_rows_come_once_in_an_order_by_content),
        TEST(unique_rows_are_split_by_their_own_number),
        TEST(the_header_stays_in_front),
        TEST(frames_of_input_and_output_may_differ),
        TEST(long_rows_stay_in_their_files),
        TEST(a_bit_flipped_on_disk_makes_no_output),
        TEST(any_failure_leaves_no_file),
        TEST(short_and_interrupted_transfers_change_nothing),
        TEST(progress_counts_to_the_end),
        TEST(the_disk_can_be_probed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
