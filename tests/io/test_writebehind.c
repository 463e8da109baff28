#include "support/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/sink.h"
#include "support/fault.h"

enum { PIECE = 1000, N = 5000 };

/* N pieces dealt to two files by one thread of writing. */
static int write_two(struct tsl_writebehind *b, struct tsl_err *err)
{
    struct tsl_sink sinks[2];
    struct tsl_sink_opts o = { .nthreads = 1 };
    uint8_t piece[PIECE];
    int rc = tsl_sink_open(&sinks[0], "a", false, &o, err);
    if (rc < 0)
        return rc;
    rc = tsl_sink_open(&sinks[1], "b", false, &o, err);
    if (rc < 0) {
        tsl_sink_close(&sinks[0]);
        return rc;
    }
    tsl_sink_behind(&sinks[0], b);
    tsl_sink_behind(&sinks[1], b);
    for (int i = 0; i < N && rc == 0; i++) {
        memset(piece, i / 2, sizeof piece);
        rc = tsl_sink_write(&sinks[i % 2], piece, sizeof piece, err);
    }
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = tsl_sink_done(&sinks[i], err);
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = tsl_sink_commit(&sinks[i], err);
    tsl_sink_close(&sinks[0]);
    tsl_sink_close(&sinks[1]);
    return rc;
}

static int write_files(struct tsl_err *err)
{
    struct tsl_writebehind *b;
    int rc = tsl_writebehind_create(&b, err);
    if (rc < 0)
        return rc;
    rc = write_two(b, err);
    tsl_writebehind_destroy(b);
    return rc;
}

static void check(const char *name)
{
    size_t n;
    uint8_t *p = file_get(name, &n);
    assert_int_equal(n, PIECE * N / 2);
    for (size_t i = 0; i < n; i++)
        if (p[i] != (uint8_t)(i / PIECE))
            fail_msg("%s: byte %zu is another one", name, i);
    free(p);
}

static void files_have_what_was_put_in_order(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    assert_ok(write_files(&err), &err);
    check("a");
    check("b");
    tsl_writebehind_destroy(NULL);
}

/* Lent bytes, of a file whose pages were asked for, behind copied ones. */
static void lent_bytes_are_written_from_where_they_lie(void **state)
{
    (void)state;
    enum { BYTES = 3 << 20 };
    struct tsl_err err = { 0 };
    struct tsl_sink_opts o = { .nthreads = 1 };
    for (int thread = 0; thread < 2; thread++) {
        struct tsl_writebehind *b = NULL;
        struct tsl_sink s;
        uint8_t *p = tsl_pages_map(BYTES, "bytes", &err);
        if (thread)
            assert_ok(tsl_writebehind_create(&b, &err), &err);
        assert_ok(tsl_sink_open(&s, "lent", false, &o, &err), &err);
        tsl_sink_behind(&s, b);
        tsl_sink_want(&s, p, BYTES);
        tsl_sink_expect(&s, 0, BYTES);
        for (size_t i = 0; i < BYTES; i++)
            p[i] = (uint8_t)(i >> 12);
        assert_ok(tsl_sink_write(&s, p, PIECE, &err), &err);
        for (size_t at = PIECE; at < BYTES;) {
            size_t n = BYTES - at < 100000 ? BYTES - at : 100000;
            assert_ok(tsl_sink_lend(&s, p + at, n, &err), &err);
            at += n;
        }
        assert_int_equal(s.bytes, BYTES);
        assert_ok(tsl_sink_done(&s, &err), &err);
        assert_ok(tsl_sink_commit(&s, &err), &err);
        tsl_sink_close(&s);
        assert_true(file_is("lent", p, BYTES));
        unlink("lent");
        tsl_writebehind_destroy(b);
        tsl_pages_unmap(p, BYTES);
    }
}

static void a_failed_write_is_told_by_a_later_call_and_leaves_no_file(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        struct tsl_err err = { 0 };
        fault_arm(nth, "write pwritev fsync");
        int rc = write_files(&err);
        const char *call = fault_disarm();
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        /* a file that was complete has its name, the other one has none */
        assert_true(rc < 0 && err.code == rc);
        assert_false(file_exists("b"));
        if (file_exists("a"))
            unlink("a");
    }
}

static void without_a_thread_the_caller_writes(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    fault_arm(1, "pthread_create");
    int rc = write_files(&err);
    assert_non_null(fault_disarm());
    assert_ok(rc, &err);
    check("a");
    check("b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_have_what_was_put_in_order),
        TEST(lent_bytes_are_written_from_where_they_lie),
        TEST(a_failed_write_is_told_by_a_later_call_and_leaves_no_file),
        TEST(without_a_thread_the_caller_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
