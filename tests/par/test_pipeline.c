#include "support/test.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "par/pipeline.h"
#include "par/thread.h"
#include "support/fault.h"

enum { ITEMS_MAX = 16, NUMBERS_MAX = 2000 };

struct item {
    unsigned number;
    uint64_t result;
    _Atomic(int) users; /* who holds it now: never two */
};

struct job {
    unsigned n, nthreads, next_read, next_written;
    unsigned fail_read, fail_work, fail_write; /* at this number; n or more: never */
    bool silent;                               /* fail without a message */
    bool fail_all;                             /* and all numbers after fail_work */
    bool stuck_work;   /* the last number's work waits for cancel */
    unsigned slow_one; /* this number's work is slow */
    _Atomic(unsigned) ncancels, shared, wrong_worker, disordered, unknown;
    _Atomic(bool) failed;
    struct item items[ITEMS_MAX];
    unsigned nitems;
    struct tsl_mutex lock;
    struct tsl_cond changed;
    bool cancelled;
};

static void enter(struct job *j, struct item *x)
{
    if (atomic_fetch_add(&x->users, 1) != 0)
        j->shared++;
    if (x < j->items || x >= j->items + j->nitems)
        j->unknown++;
}

static void leave(struct item *x)
{
    atomic_fetch_sub(&x->users, 1);
}

static int give_up(struct job *j, const char *who, struct tsl_err *err)
{
    j->failed = true;
    return j->silent ? TSL_EFORMAT : tsl_err_set(err, TSL_EFORMAT, "%s failed", who);
}

static int read_number(void *ctx, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *x = item;
    int rc = 1;
    enter(j, x);
    if (j->next_read == j->fail_read)
        rc = give_up(j, "read", err);
    else if (j->next_read == j->n)
        rc = 0;
    else
        x->number = j->next_read++;
    leave(x);
    return rc;
}

static int square(void *ctx, unsigned worker, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *x = item;
    int rc = 0;
    enter(j, x);
    if (worker >= j->nthreads)
        j->wrong_worker++;
    if (x->number == j->slow_one)
        usleep(3000);
    x->result = (uint64_t)x->number * x->number;
    if (x->number == j->fail_work || (j->fail_all && x->number > j->fail_work))
        rc = give_up(j, "work", err);
    if (j->stuck_work && x->number + 1 == j->n) {
        tsl_mutex_lock(&j->lock);
        while (!j->cancelled)
            tsl_cond_wait(&j->changed, &j->lock);
        tsl_mutex_unlock(&j->lock);
        rc = tsl_err_set(err, TSL_ECANCELLED, "woken");
    }
    leave(x);
    return rc;
}

static int check_number(void *ctx, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *x = item;
    int rc = 0;
    enter(j, x);
    if (x->number != j->next_written || x->result != (uint64_t)x->number * x->number)
        j->disordered++;
    if (x->number == j->fail_write)
        rc = give_up(j, "write", err);
    j->next_written++;
    leave(x);
    return rc;
}

static void cancel(void *ctx)
{
    struct job *j = ctx;
    j->ncancels++;
    tsl_mutex_lock(&j->lock);
    j->cancelled = true;
    tsl_cond_broadcast(&j->changed);
    tsl_mutex_unlock(&j->lock);
}

static int run(struct job *j, unsigned n, unsigned nthreads, unsigned nitems, bool write,
               struct tsl_err *err)
{
    void *items[ITEMS_MAX];
    for (unsigned i = 0; i < nitems; i++)
        items[i] = &j->items[i];
    j->n = n;
    j->nthreads = nthreads;
    j->nitems = nitems;
    tsl_mutex_init(&j->lock);
    tsl_cond_init(&j->changed);
    struct tsl_pipeline p = { .read = read_number,
                              .work = square,
                              .write = write ? check_number : NULL,
                              .cancel = cancel,
                              .ctx = j,
                              .items = items,
                              .nitems = nitems,
                              .nthreads = nthreads };
    int rc = tsl_pipeline_run(&p, err);
    tsl_cond_fini(&j->changed);
    tsl_mutex_fini(&j->lock);
    assert_int_equal(j->shared, 0); /* an item has one owner at any moment */
    assert_int_equal(j->unknown, 0);
    assert_int_equal(j->wrong_worker, 0);
    assert_int_equal(j->disordered, 0);
    return rc;
}

#define NEVER .fail_read = UINT32_MAX, .fail_work = UINT32_MAX, .fail_write = UINT32_MAX

static void items_are_written_in_the_order_read(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    for (unsigned nthreads = 1; nthreads <= 8; nthreads++)
        for (unsigned nitems = 1; nitems <= ITEMS_MAX; nitems += 5)
            for (unsigned n = 0; n <= 300; n += 100) {
                struct job j = { NEVER, .slow_one = n / 2 };
                assert_ok(run(&j, n, nthreads, nitems, true, &err), &err);
                assert_int_equal(j.next_written, n);
                assert_int_equal(j.ncancels, 0);
            }
}

static void without_a_writer_all_is_worked_on(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    for (unsigned nthreads = 1; nthreads <= 4; nthreads++) {
        struct job j = { NEVER, .slow_one = 7 };
        assert_ok(run(&j, 500, nthreads, 3, false, &err), &err);
        assert_int_equal(j.next_read, 500);
        uint64_t last = 0; /* items go round: the last three numbers are left in them */
        for (int i = 0; i < 3; i++)
            last += j.items[i].result;
        assert_int_equal(last, 499 * 499 + 498 * 498 + 497 * 497);
    }
}

static void the_first_error_ends_it(void **state)
{
    static const char *const who[] = { "read failed", "work failed", "write failed" };
    (void)state;
    for (unsigned nthreads = 1; nthreads <= 8; nthreads += 3)
        for (unsigned stage = 0; stage < 3; stage++)
            for (unsigned at = 0; at < 60; at += 29) {
                struct tsl_err err = { 0 };
                struct job j = { NEVER };
                *(stage == 0   ? &j.fail_read
                  : stage == 1 ? &j.fail_work
                               : &j.fail_write) = at;
                int rc = run(&j, 100000, nthreads, 5, true, &err);
                assert_err(rc, TSL_EFORMAT, &err, who[stage]);
                assert_int_equal(j.ncancels, 1);
                assert_true(j.next_read <=
                            at + 5 + 1); /* no item beyond those under way */
                assert_true(j.next_written <= at + 1);
            }
}

static void cancel_is_called_once_however_many_fail(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct tsl_err err = { 0 };
        struct job j = { NEVER, .fail_all = true };
        j.fail_work = 5;
        j.slow_one = 5; /* so that others fail meanwhile */
        assert_err(run(&j, 100, 4, 8, true, &err), TSL_EFORMAT, &err, "work failed");
        assert_int_equal(j.ncancels, 1);
    }
}

static void an_error_without_a_message_is_one(void **state)
{
    (void)state;
    for (unsigned stage = 0; stage < 3; stage++) {
        struct tsl_err err = { 0 };
        struct job j = { NEVER, .silent = true };
        *(stage == 0 ? &j.fail_read : stage == 1 ? &j.fail_work : &j.fail_write) = 3;
        assert_err(run(&j, 100, 2, 4, true, &err), TSL_EFORMAT, &err, "failed");
    }
}

static void no_err_is_needed(void **state)
{
    struct job j = { NEVER };
    (void)state;
    j.fail_work = 3;
    assert_int_equal(run(&j, 100, 2, 4, true, NULL), TSL_EFORMAT);
}

static void cancel_wakes_whoever_waits(void **state)
{
    (void)state;
    for (unsigned nthreads = 2; nthreads <= 8; nthreads++) {
        struct tsl_err err = { 0 };
        /* number 9's work waits for ever; meanwhile number 3 cannot be written */
        struct job j = { NEVER, .stuck_work = true };
        j.fail_write = 3;
        int rc = run(&j, 10, nthreads, 16, true, &err);
        assert_err(rc, TSL_EFORMAT, &err,
                   "write failed"); /* not what the woken one said */
        assert_int_equal(j.ncancels, 1);
    }
}

static void any_failure_to_start_is_told_or_survived(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        struct job j = { NEVER };
        fault_arm(nth, NULL);
        int rc = run(&j, 200, 3, 4, true, &err);
        const char *call = fault_disarm();
        if (rc == 0)
            assert_int_equal(j.next_written, 200); /* fewer threads do it, too */
        else
            assert_true(err.code == rc && err.msg[0]);
        if (!call) {
            assert_ok(rc, &err);
            assert_true(nth > 5);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(items_are_written_in_the_order_read),
        TEST(without_a_writer_all_is_worked_on),
        TEST(the_first_error_ends_it),
        TEST(cancel_is_called_once_however_many_fail),
        TEST(an_error_without_a_message_is_one),
        TEST(no_err_is_needed),
        TEST(cancel_wakes_whoever_waits),
        TEST(any_failure_to_start_is_told_or_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
