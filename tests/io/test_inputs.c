#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/inputs.h"
#include "support/fault.h"
#include "support/gendata.h"

enum { FILE_MAX = 40000, WINDOW = 8 << 20 };

static const struct tsl_frame frames[] = {
    { TSL_FRAME_LINE, 0 },     { TSL_FRAME_NUL, 0 },      { TSL_FRAME_PARA, 0 },
    { TSL_FRAME_FIXED, 10 },   { TSL_FRAME_FIXED, 4096 }, { TSL_FRAME_FIXED, 4097 },
    { TSL_FRAME_FIXED, 9000 }, { TSL_FRAME_U32, 0 },
};
enum { NFRAMES = sizeof frames / sizeof *frames };

/* Exactly as large as rowbatch.h promises, so that a sanitizer sees one byte too many. */
static void batch_init(struct tsl_rowbatch *b, size_t bytes, size_t rows)
{
    *b = (struct tsl_rowbatch){ .cap = bytes, .rows_cap = rows };
    b->bytes = malloc(bytes + TSL_BATCH_SLACK);
    b->rows = malloc(rows * sizeof *b->rows);
    assert_non_null(b->bytes);
    assert_non_null(b->rows);
}

static void batch_fini(struct tsl_rowbatch *b)
{
    free(b->bytes);
    free(b->rows);
}

/* All rows that the inputs give, pieces put together. */
static int collect(struct rowlist *l, const struct tsl_inputs_opts *o,
                   struct tsl_err *err)
{
    struct tsl_inputs *in = NULL;
    struct tsl_rowbatch b;
    size_t head = tsl_frame_head(&o->frame), long_at = 0;
    bool inside = false;
    uint64_t long_addr = 0;
    int rc = tsl_inputs_create(&in, o, err);
    if (rc < 0)
        return rc;
    batch_init(&b, o->batch_bytes, 7);
    while ((rc = tsl_inputs_next(in, &b, err)) == 1) {
        assert_true(b.len <= b.cap + 2);
        if (b.kind == TSL_BATCH_PIECE) {
            assert_int_equal(b.first, !inside);
            if (b.first) {
                long_at = l->len;
                long_addr = b.addr;
            }
            assert_true(b.addr == long_addr);
            assert_true((size_t)b.rows[0].at + b.rows[0].len <= b.cap + TSL_BATCH_SLACK);
            rowlist_bytes(l, b.bytes + b.rows[0].at, b.rows[0].len);
            inside = !b.last;
            if (b.last)
                rowlist_place(l, b.addr, long_at, l->len - long_at);
            continue;
        }
        assert_false(inside);
        size_t at = 0;
        while (at < b.len) {
            at = tsl_frame_split(&o->frame, b.bytes, b.len, at, b.rows, b.rows_cap,
                                 &b.nrows);
            for (size_t i = 0; i < b.nrows; i++)
                rowlist_add(l, b.addr + b.rows[i].at - head, b.bytes + b.rows[i].at,
                            b.rows[i].len);
        }
    }
    if (rc == 0)
        assert_false(inside);
    if (rc == 0) /* the end stays the end */
        assert_int_equal(tsl_inputs_next(in, &b, err), 0);
    batch_fini(&b);
    tsl_inputs_destroy(in);
    return rc;
}

/* Compares what the inputs give with the slow reader's rows for several batch sizes. */
static void check(const struct tsl_inputs_opts *o, const struct rowlist *slow)
{
    static const size_t batches[] = { 4096, 4099, 5000, 8192, 1 << 16 };
    for (size_t k = 0; k < sizeof batches / sizeof *batches; k++) {
        struct tsl_inputs_opts now = *o;
        struct rowlist fast = { 0 };
        struct tsl_err err = { 0 };
        now.batch_bytes = batches[k];
        assert_ok(collect(&fast, &now, &err), &err);
        if (!rowlist_equal(slow, &fast))
            print_error("batch %zu: %zu rows, expected %zu\n", batches[k], fast.nrows,
                        slow->nrows);
        assert_true(rowlist_equal(slow, &fast));
        rowlist_free(&fast);
    }
}

static void a_file_gives_the_rows_of_the_slow_reader(void **state)
{
    static uint8_t p[FILE_MAX];
    char *paths[] = { "x" };
    (void)state;
    for (int k = 0; k < NFRAMES; k++)
        for (uint64_t seed = 0; seed < 8; seed++) {
            struct gen g = { seed };
            struct rowlist slow = { 0 };
            struct tsl_inputs_opts o = {
                .paths = paths, .npaths = 1, .frame = frames[k], .window_max = WINDOW
            };
            /* long rows around one batch, and of many batches */
            size_t n = gen_rows(&g, &frames[k], p, seed < 2 ? seed * 5000 : FILE_MAX,
                                seed % 2 ? 9000 : 25000, seed < 4 ? 40 : 5);
            file_put("x", p, n);
            assert_true(slow_rows(&slow, &frames[k], p, n));
            check(&o, &slow);
            rowlist_free(&slow);
        }
}

static void rows_around_the_batch_size_are_whole(void **state)
{
    static uint8_t p[3 * 4200];
    char *paths[] = { "x" };
    (void)state;
    for (int k = 0; k < NFRAMES; k++) {
        const struct tsl_frame *f = &frames[k];
        if (f->kind == TSL_FRAME_FIXED)
            continue;
        for (size_t len = 4096 - 9; len < 4096 + 9; len++)
            for (size_t first = 0; first < 3; first++)
                for (int cut = 0; cut < 2; cut++) {
                    struct rowlist slow = { 0 };
                    size_t n = 0, lens[] = { first, len, 3 };
                    for (int i = 0; i < 3; i++) {
                        tsl_frame_put_head(f, p + n, lens[i]);
                        n += tsl_frame_head(f);
                        memset(p + n, 'a' + i, lens[i]);
                        n += lens[i];
                        tsl_frame_put_tail(f, p + n);
                        n += tsl_frame_tail(f);
                    }
                    if (cut) /* and the last row's end is missing */
                        n -= tsl_frame_tail(f);
                    file_put("x", p, n);
                    assert_true(slow_rows(&slow, f, p, n));
                    struct tsl_inputs_opts o = { .paths = paths,
                                                 .npaths = 1,
                                                 .frame = *f,
                                                 .batch_bytes = 4096,
                                                 .window_max = WINDOW };
                    struct rowlist fast = { 0 };
                    struct tsl_err err = { 0 };
                    assert_ok(collect(&fast, &o, &err), &err);
                    assert_true(rowlist_equal(&slow, &fast));
                    rowlist_free(&fast);
                    rowlist_free(&slow);
                }
    }
}

/* The end of a paragraph, of either kind, across every border of a batch. */
static void paragraphs_end_across_batches(void **state)
{
    static const char *const ends[] = { "\n\n",     "\n\r\n", "\r\n\r\n", "\n\n\n\r\n\n",
                                        "\n\r",     "\n",     "",         "\r",
                                        "\n\rx\n\n" };
    static uint8_t p[9000];
    char *paths[] = { "x" };
    (void)state;
    for (size_t e = 0; e < sizeof ends / sizeof *ends; e++)
        for (size_t len = 4080; len < 4102; len++)
            for (int more = 0; more < 2; more++) {
                struct rowlist slow = { 0 }, fast = { 0 };
                struct tsl_err err = { 0 };
                memset(p, 'a', len);
                size_t n = len + strlen(ends[e]);
                memcpy(p + len, ends[e], strlen(ends[e]));
                if (more) {
                    memcpy(p + n, "b\nc\n\n", 5);
                    n += 5;
                }
                file_put("x", p, n);
                assert_true(slow_rows(&slow, &frames[2], p, n));
                struct tsl_inputs_opts o = { .paths = paths,
                                             .npaths = 1,
                                             .frame = frames[2],
                                             .batch_bytes = 4096,
                                             .window_max = WINDOW };
                assert_ok(collect(&fast, &o, &err), &err);
                assert_true(rowlist_equal(&slow, &fast));
                rowlist_free(&fast);
                rowlist_free(&slow);
            }
}

static void many_files_are_one_stream(void **state)
{
    enum { NFILES = 30 };
    static uint8_t p[FILE_MAX];
    char names[NFILES][16], *paths[NFILES];
    (void)state;
    for (int k = 0; k < NFRAMES; k++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            struct gen g = { seed + 100 };
            struct rowlist slow = { 0 };
            for (int i = 0; i < NFILES; i++) {
                size_t n = gen_rows(&g, &frames[k], p,
                                    gen_below(&g, i % 9 ? 300 : FILE_MAX), 9000, 40);
                size_t cut = gen_below(&g, 3); /* the last row's end, or blank lines */
                if (frames[k].kind <= TSL_FRAME_PARA)
                    n -= cut < n ? cut : n;
                snprintf(names[i], sizeof names[i], "f%d", i);
                paths[i] = names[i];
                file_put(names[i], p, n);
                assert_true(slow_rows(&slow, &frames[k], p, n));
            }
            struct tsl_inputs_opts o = {
                .paths = paths, .npaths = NFILES, .frame = frames[k], .window_max = WINDOW
            };
            check(&o, &slow);

            /* the one file that they make together gives the same rows at the same
             * addresses */
            char *one[] = { "one" };
            file_put("one", slow.bytes, slow.len);
            o.paths = one;
            o.npaths = 1;
            check(&o, &slow);
            rowlist_free(&slow);
        }
}

static void no_files_or_empty_ones_have_no_rows(void **state)
{
    char *paths[] = { "x", "x", "x" };
    (void)state;
    file_put("x", "", 0);
    for (int k = 0; k < NFRAMES; k++)
        for (size_t n = 0; n <= 3; n++) {
            struct tsl_inputs_opts o = {
                .paths = paths, .npaths = n, .frame = frames[k], .window_max = WINDOW
            };
            check(&o, &(struct rowlist){ 0 });
        }
}

static void memory_and_packed_files_give_the_same_rows(void **state)
{
    static uint8_t p[FILE_MAX];
    char *paths[] = { "x" };
    (void)state;
    for (int k = 0; k < NFRAMES; k++) {
        struct gen g = { 9 };
        struct rowlist slow = { 0 };
        size_t n = gen_rows(&g, &frames[k], p, FILE_MAX, 9000, 30);
        assert_true(slow_rows(&slow, &frames[k], p, n));
        struct tsl_inputs_opts o = {
            .memory = p, .memory_len = n, .frame = frames[k], .window_max = WINDOW
        };
        check(&o, &slow);
        for (int codec = TSL_CODEC_ZSTD; codec <= TSL_CODEC_GZIP; codec++) {
            struct tsl_packer *z = NULL;
            struct tsl_err err = { 0 };
            size_t packed;
            assert_ok(tsl_packer_create(&z, (enum tsl_codec)codec, 1, &err), &err);
            size_t cap = tsl_packer_bound(z, n);
            uint8_t *q = malloc(cap);
            assert_ok(tsl_packer_run(z, q, cap, p, n, &packed, &err), &err);
            file_put("x", q, packed);
            free(q);
            tsl_packer_destroy(z);
            o = (struct tsl_inputs_opts){
                .paths = paths, .npaths = 1, .frame = frames[k], .window_max = WINDOW
            };
            check(&o, &slow);
        }
        rowlist_free(&slow);
    }
}

static void a_pipe_gives_the_same_rows(void **state)
{
    static uint8_t p[FILE_MAX];
    char *paths[] = { "pipe" };
    struct gen g = { 9 };
    (void)state;
    for (int k = 0; k < NFRAMES; k++) {
        struct rowlist slow = { 0 }, fast = { 0 };
        struct tsl_err err = { 0 };
        size_t n = gen_rows(&g, &frames[k], p, FILE_MAX, 9000, 30);
        assert_true(slow_rows(&slow, &frames[k], p, n));
        file_put("x", p, n);
        unlink("pipe");
        assert_int_equal(mkfifo("pipe", 0600), 0);
        pid_t child = fork();
        if (child == 0) {
            execlp("dd", "dd", "if=x", "of=pipe", "bs=777", "status=none", (char *)NULL);
            _exit(1);
        }
        struct tsl_inputs_opts o = { .paths = paths,
                                     .npaths = 1,
                                     .frame = frames[k],
                                     .batch_bytes = 4096,
                                     .window_max = WINDOW };
        assert_ok(collect(&fast, &o, &err), &err);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_true(rowlist_equal(&slow, &fast));
        rowlist_free(&fast);
        rowlist_free(&slow);
    }
}

static void header_rows_are_kept_apart(void **state)
{
    static uint8_t p[FILE_MAX];
    char names[5][16], *paths[5];
    (void)state;
    for (int k = 0; k < NFRAMES; k++)
        for (uint64_t nheader = 1; nheader < 40; nheader = 3 * nheader + 1) {
            struct gen g = { nheader };
            struct rowlist slow = { 0 }, want = { 0 };
            size_t header_len = 0;
            static uint8_t header[2 * FILE_MAX];
            for (int i = 0; i < 5; i++) {
                size_t before = slow.nrows, n;
                if (i == 0)
                    do
                        n = gen_rows(&g, &frames[k], p, FILE_MAX - 100, 9000, 60);
                    while (n < FILE_MAX / 2);
                else /* the same header, then other rows */
                    n = header_len + gen_rows(&g, &frames[k], p + header_len,
                                              gen_below(&g, 3000), 100, 0);
                snprintf(names[i], sizeof names[i], "f%d", i);
                paths[i] = names[i];
                file_put(names[i], p, n);
                assert_true(slow_rows(&slow, &frames[k], p, n));
                if (i == 0) {
                    if (slow.nrows < nheader) /* rows too large for that many */
                        break;
                    const struct rowlist_row *r = &slow.rows[nheader - 1];
                    header_len = r->at + r->len + tsl_frame_tail(&frames[k]);
                    if (frames[k].kind == TSL_FRAME_PARA && p[r->at + r->len + 1] == '\r')
                        header_len++;
                    memcpy(header, p, header_len);
                }
                for (size_t r = before + nheader; r < slow.nrows; r++)
                    rowlist_add(&want, slow.rows[r].addr, slow.bytes + slow.rows[r].at,
                                slow.rows[r].len);
            }
            struct tsl_inputs_opts o = { .paths = paths,
                                         .npaths = 5,
                                         .frame = frames[k],
                                         .header_rows = nheader,
                                         .window_max = WINDOW };
            if (slow.nrows >= nheader) {
                check(&o, &want);
                struct tsl_err err = { 0 };
                struct tsl_inputs *in = NULL;
                struct tsl_rowbatch b;
                const uint8_t *got;
                size_t n;
                o.batch_bytes = 4096;
                assert_ok(tsl_inputs_create(&in, &o, &err), &err);
                batch_init(&b, 4096, 7);
                assert_ok(tsl_inputs_next(in, &b, &err), &err);
                tsl_inputs_header(in, &got, &n);
                assert_int_equal(n, header_len);
                assert_memory_equal(got, header, n);
                batch_fini(&b);
                tsl_inputs_destroy(in);
            }
            rowlist_free(&slow);
            rowlist_free(&want);
        }
}

static void headers_that_differ_are_refused(void **state)
{
    char *paths[] = { "a", "b" };
    struct rowlist l = { 0 };
    struct tsl_err err = { 0 };
    struct tsl_inputs_opts o = { .paths = paths,
                                 .npaths = 2,
                                 .frame = frames[0],
                                 .header_rows = 1,
                                 .batch_bytes = 4096,
                                 .window_max = WINDOW };
    (void)state;
    file_put_text("a", "h\n1\n");
    file_put_text("b", "H\n2\n");
    assert_err(collect(&l, &o, &err), TSL_EFORMAT, &err,
               "b: its header is not the one of a");
    rowlist_free(&l);
}

static void memory_may_have_a_header_too(void **state)
{
    struct rowlist l = { 0 };
    struct tsl_err err = { 0 };
    struct tsl_inputs_opts o = { .memory = (const uint8_t *)"h\n1\n2\n",
                                 .memory_len = 6,
                                 .frame = frames[0],
                                 .header_rows = 1,
                                 .batch_bytes = 4096,
                                 .window_max = WINDOW };
    (void)state;
    assert_ok(collect(&l, &o, &err), &err);
    assert_int_equal(l.nrows, 2);
    rowlist_free(&l);
}

static void a_row_cut_short_is_an_error(void **state)
{
    static uint8_t p[20000];
    char *paths[] = { "good", "x" };
    (void)state;
    for (int k = 3; k < NFRAMES; k++) {
        struct gen g = { (uint64_t)k };
        size_t n = gen_rows(&g, &frames[k], p, sizeof p, 9000, 20);
        file_put("good", p, n);
        for (size_t cut = 1; cut < 40; cut += 3) {
            struct rowlist slow = { 0 };
            if (slow_rows(&slow, &frames[k], p, n - cut)) {
                rowlist_free(&slow);
                continue; /* that was between two rows */
            }
            rowlist_free(&slow);
            file_put("x", p, n - cut);
            for (size_t batch = 4096; batch < 70000; batch *= 3) {
                struct rowlist l = { 0 };
                struct tsl_err err = { 0 };
                struct tsl_inputs_opts o = { .paths = paths,
                                             .npaths = 2,
                                             .frame = frames[k],
                                             .batch_bytes = batch,
                                             .window_max = WINDOW };
                assert_err(collect(&l, &o, &err), TSL_EFORMAT, &err,
                           "x: ends inside the row");
                rowlist_free(&l);
            }
        }
    }
}

static void the_row_that_is_cut_short_is_named_by_its_byte(void **state)
{
    char *paths[] = { "x" };
    static uint8_t p[10000];
    (void)state;
    memset(p, 'a', sizeof p);
    for (int large = 0; large < 2; large++) {
        struct rowlist l = { 0 };
        struct tsl_err err = { 0 };
        struct tsl_inputs_opts o = { .paths = paths,
                                     .npaths = 1,
                                     .frame = { TSL_FRAME_FIXED, large ? 6000 : 60 },
                                     .batch_bytes = 4096,
                                     .window_max = WINDOW };
        file_put("x", p, large ? 6001 : 61);
        assert_err(collect(&l, &o, &err), TSL_EFORMAT, &err,
                   large ? "the row at byte 6000 " : "the row at byte 60 ");
        rowlist_free(&l);
    }
}

static void any_failure_is_told(void **state)
{
    static uint8_t p[FILE_MAX];
    char *paths[] = { "x", "y" };
    struct gen g = { 3 };
    (void)state;
    size_t n = gen_rows(&g, &frames[0], p, FILE_MAX, 9000, 30);
    file_put("x", p, n);
    file_put("y", p, n);
    for (uint64_t header = 0; header < 2; header++)
        for (unsigned nth = 1;; nth++) {
            struct tsl_err err = { 0 };
            struct tsl_inputs_opts o = { .paths = paths,
                                         .npaths = 2,
                                         .frame = frames[0],
                                         .header_rows = header,
                                         .batch_bytes = 4096,
                                         .window_max = WINDOW };
            fault_arm(nth, "calloc realloc mmap open fstat read preadv");
            struct tsl_inputs *in = NULL;
            static uint8_t bytes[4096 + TSL_BATCH_SLACK];
            struct tsl_row rows[1];
            struct tsl_rowbatch b = {
                .cap = 4096, .bytes = bytes, .rows = rows, .rows_cap = 1
            };
            int rc = tsl_inputs_create(&in, &o, &err);
            while (rc >= 0 && (rc = tsl_inputs_next(in, &b, &err)) == 1)
                ;
            tsl_inputs_destroy(in);
            const char *call = fault_disarm();
            if (!call) {
                assert_ok(rc, &err);
                assert_true(nth > 10);
                break;
            }
            assert_true(rc < 0 && err.code == rc);
        }
}

static void sizes_are_told_without_reading(void **state)
{
    char *paths[] = { "plain", "z", "plain", "empty" };
    struct tsl_inputs_size size;
    struct tsl_err err = { 0 };
    (void)state;
    file_put_text("plain", "12345");
    file_put("z", "\x1f\x8b\x08whatever", 11);
    file_put("empty", "", 0);
    assert_ok(tsl_inputs_measure(paths, 4, &size, &err), &err);
    assert_int_equal(size.plain_bytes, 10);
    assert_int_equal(size.packed_bytes, 11);
    assert_false(size.unknown);
    char *missing[] = { "plain", "none" };
    assert_err(tsl_inputs_measure(missing, 2, &size, &err), TSL_EIO, &err,
               "none: No such file");
    char *devices[] = { "/dev/null", "plain" };
    assert_ok(tsl_inputs_measure(devices, 2, &size, &err), &err);
    assert_true(size.unknown);
    assert_int_equal(size.plain_bytes, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_gives_the_rows_of_the_slow_reader),
        TEST(rows_around_the_batch_size_are_whole),
        TEST(paragraphs_end_across_batches),
        TEST(many_files_are_one_stream),
        TEST(no_files_or_empty_ones_have_no_rows),
        TEST(memory_and_packed_files_give_the_same_rows),
        TEST(a_pipe_gives_the_same_rows),
        TEST(header_rows_are_kept_apart),
        TEST(headers_that_differ_are_refused),
        TEST(memory_may_have_a_header_too),
        TEST(a_row_cut_short_is_an_error),
        TEST(the_row_that_is_cut_short_is_named_by_its_byte),
        TEST(any_failure_is_told),
        TEST(sizes_are_told_without_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
