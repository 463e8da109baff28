#include "support/test.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "par/pool.h"
#include "support/fault.h"

enum { MOST = 1000 };

struct marks {
    unsigned times[MOST]; /* plain: an index is worked on by one thread at a time */
    _Atomic(unsigned) now, most_at_once;
};

static void mark(void *ctx, unsigned i)
{
    struct marks *m = ctx;
    m->times[i]++;
    unsigned n = atomic_fetch_add(&m->now, 1) + 1, most = m->most_at_once;
    while (n > most && !atomic_compare_exchange_weak(&m->most_at_once, &most, n))
        ;
    atomic_fetch_sub(&m->now, 1);
}

static void every_index_is_worked_on_once(void **state)
{
    static const unsigned counts[] = { 0, 1, 2, 3, 7, 64, MOST };
    struct tsl_err err = { 0 };
    (void)state;
    for (unsigned n = 1; n <= 8; n++) {
        struct tsl_pool *p = NULL;
        assert_ok(tsl_pool_create(&p, n, &err), &err);
        assert_int_equal(tsl_pool_threads(p), n);
        for (int round = 0; round < 20; round++)
            for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                struct marks m = { 0 };
                tsl_pool_run(p, counts[c], mark, &m);
                for (unsigned i = 0; i < MOST; i++)
                    assert_int_equal(m.times[i], i < counts[c]);
                assert_true(m.most_at_once <= n);
            }
        tsl_pool_destroy(p);
    }
}

static void sum_squares(void *ctx, unsigned i)
{
    ((uint64_t *)ctx)[i] = (uint64_t)i * i;
}

static void what_was_done_is_seen_when_run_returns(void **state)
{
    struct tsl_pool *p = NULL;
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(tsl_pool_create(&p, 4, &err), &err);
    for (int round = 0; round < 200; round++) {
        uint64_t v[50] = { 0 }, sum = 0;
        tsl_pool_run(p, 50, sum_squares, v);
        for (int i = 0; i < 50; i++)
            sum += v[i];
        assert_int_equal(sum, 40425);
    }
    tsl_pool_destroy(p);
}

/* Ends only when two threads are inside. */
static void meet(void *ctx, unsigned i)
{
    struct marks *m = ctx;
    (void)i;
    atomic_fetch_add(&m->now, 1);
    while (m->now < 2)
        ;
}

static void a_pool_of_two_works_with_two(void **state)
{
    struct tsl_pool *p = NULL;
    struct tsl_err err = { 0 };
    struct marks m = { 0 };
    (void)state;
    assert_ok(tsl_pool_create(&p, 2, &err), &err);
    tsl_pool_run(p, 2, meet, &m);
    assert_int_equal(m.now, 2);
    tsl_pool_destroy(p);
}

static void any_failure_leaves_a_pool_or_an_error(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_pool *p = NULL;
        struct tsl_err err = { 0 };
        fault_arm(nth, NULL);
        int rc = tsl_pool_create(&p, 3, &err);
        const char *call = fault_disarm();
        if (rc == 0) { /* perhaps with fewer threads */
            struct marks m = { 0 };
            tsl_pool_run(p, 100, mark, &m);
            for (unsigned i = 0; i < 100; i++)
                assert_int_equal(m.times[i], 1);
        } else {
            assert_int_equal(err.code, TSL_ENOMEM);
            assert_null(p);
        }
        tsl_pool_destroy(p);
        if (!call) {
            assert_int_equal(rc, 0);
            break;
        }
    }
}

/* Threads of this process; one that was joined may be listed for a moment more. */
static size_t threads_settle(size_t want)
{
    size_t n = folder_count("/proc/self/task");
    for (int tries = 0; n != want && tries < 200; tries++) {
        usleep(10000);
        n = folder_count("/proc/self/task");
    }
    return n;
}

static void destroying_ends_the_threads_and_nothing_is_fine(void **state)
{
    struct tsl_err err = { 0 };
    size_t before = folder_count("/proc/self/task");
    (void)state;
    for (unsigned n = 1; n <= 4; n++) {
        struct tsl_pool *p = NULL;
        assert_ok(tsl_pool_create(&p, n, &err), &err);
        assert_int_equal(threads_settle(before + n - 1), before + n - 1);
        tsl_pool_destroy(p);
        assert_int_equal(threads_settle(before), before);
    }
    tsl_pool_destroy(NULL);
    assert_int_equal(threads_settle(before), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_index_is_worked_on_once),
        TEST(what_was_done_is_seen_when_run_returns),
        TEST(a_pool_of_two_works_with_two),
        TEST(any_failure_leaves_a_pool_or_an_error),
        TEST(destroying_ends_the_threads_and_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
