#include "support/test.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "par/thread.h"
#include "support/fault.h"

struct counter {
    struct tsl_mutex lock;
    struct tsl_cond changed;
    unsigned n, waiting;
    bool go;
};

static void counter_init(struct counter *c)
{
    memset(c, 0, sizeof *c);
    tsl_mutex_init(&c->lock);
    tsl_cond_init(&c->changed);
}

static void counter_fini(struct counter *c)
{
    tsl_cond_fini(&c->changed);
    tsl_mutex_fini(&c->lock);
}

static void count_up(void *arg)
{
    struct counter *c = arg;
    for (int i = 0; i < 5000; i++) {
        tsl_mutex_lock(&c->lock);
        c->n++;
        tsl_mutex_unlock(&c->lock);
    }
}

static void a_lock_lets_one_in(void **state)
{
    struct counter c;
    struct tsl_thread t[4] = { 0 };
    struct tsl_err err = { 0 };
    (void)state;
    counter_init(&c);
    for (int i = 0; i < 4; i++)
        assert_ok(tsl_thread_start(&t[i], count_up, &c, &err), &err);
    for (int i = 0; i < 4; i++)
        tsl_thread_join(&t[i]);
    assert_int_equal(c.n, 4 * 5000);
    counter_fini(&c);
}

static void wait_for_go(void *arg)
{
    struct counter *c = arg;
    tsl_mutex_lock(&c->lock);
    c->waiting++;
    tsl_cond_broadcast(&c->changed);
    while (!c->go)
        tsl_cond_wait(&c->changed, &c->lock);
    c->n++;
    tsl_mutex_unlock(&c->lock);
}

static void a_broadcast_wakes_all(void **state)
{
    struct counter c;
    struct tsl_thread t[5] = { 0 };
    struct tsl_err err = { 0 };
    (void)state;
    counter_init(&c);
    for (int i = 0; i < 5; i++)
        assert_ok(tsl_thread_start(&t[i], wait_for_go, &c, &err), &err);
    tsl_mutex_lock(&c.lock);
    while (c.waiting < 5)
        tsl_cond_wait(&c.changed, &c.lock);
    unsigned before = c.n;
    c.go = true;
    tsl_cond_broadcast(&c.changed);
    tsl_mutex_unlock(&c.lock);
    for (int i = 0; i < 5; i++)
        tsl_thread_join(&t[i]);
    assert_int_equal(before, 0);
    assert_int_equal(c.n, 5);
    counter_fini(&c);
}

static void a_signal_wakes_one_that_waits(void **state)
{
    struct counter c;
    struct tsl_thread t = { 0 };
    struct tsl_err err = { 0 };
    (void)state;
    counter_init(&c);
    assert_ok(tsl_thread_start(&t, wait_for_go, &c, &err), &err);
    tsl_mutex_lock(&c.lock);
    while (c.waiting < 1)
        tsl_cond_wait(&c.changed, &c.lock);
    c.go = true;
    tsl_cond_signal(&c.changed);
    tsl_mutex_unlock(&c.lock);
    tsl_thread_join(&t);
    assert_int_equal(c.n, 1);
    counter_fini(&c);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void a_wait_with_a_limit_ends(void **state)
{
    struct counter c;
    (void)state;
    counter_init(&c);
    tsl_mutex_lock(&c.lock);
    double start = now();
    int over = 0;
    while (!over) /* it may also wake for nothing */
        over = tsl_cond_wait_ms(&c.changed, &c.lock, 30);
    tsl_mutex_unlock(&c.lock);
    assert_true(now() - start >= 0.029);
    counter_fini(&c);
}

static sigset_t blocked;

static void look_at_mask(void *arg)
{
    (void)arg;
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_BLOCK, &none, &blocked);
}

static void signals_are_the_main_thread_s(void **state)
{
    struct tsl_thread t = { 0 };
    struct tsl_err err = { 0 };
    sigset_t before, after;
    (void)state;
    sigprocmask(SIG_BLOCK, NULL, &before);
    assert_ok(tsl_thread_start(&t, look_at_mask, NULL, &err), &err);
    tsl_thread_join(&t);
    sigprocmask(SIG_BLOCK, NULL, &after);
    static const int signals[] = { SIGINT, SIGTERM, SIGUSR1, SIGPIPE, SIGHUP };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        assert_true(sigismember(&blocked, signals[i]));
        assert_int_equal(sigismember(&after, signals[i]),
                         sigismember(&before, signals[i]));
    }
}

static void a_thread_that_cannot_start_is_told(void **state)
{
    struct counter c;
    (void)state;
    counter_init(&c);
    for (unsigned nth = 1;; nth++) {
        struct tsl_thread t = { 0 };
        struct tsl_err err = { 0 };
        fault_arm(nth, NULL);
        int rc = tsl_thread_start(&t, count_up, &c, &err);
        const char *call = fault_disarm();
        tsl_thread_join(&t);
        if (!call) {
            assert_ok(rc, &err);
            assert_true(nth > 2);
            break;
        }
        assert_true(rc < 0 && err.code == rc);
        assert_int_equal(c.n, 0);
    }
    counter_fini(&c);
}

static void joining_what_never_started_is_nothing(void **state)
{
    struct tsl_thread t = { 0 };
    (void)state;
    tsl_thread_join(&t);
    tsl_thread_join(&t);
    assert_int_equal(t.started, 0);
}

static void there_is_a_processor(void **state)
{
    (void)state;
    assert_in_range(tsl_thread_cpus(), 1, 1 << 20);
}

static void the_affinity_is_heeded(void **state)
{
    cpu_set_t old, one;
    (void)state;
    if (sched_getaffinity(0, sizeof old, &old) != 0)
        skip();
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &old)) {
            CPU_SET(i, &one);
            break;
        }
    if (sched_setaffinity(0, sizeof one, &one) != 0)
        skip();
    unsigned n = tsl_thread_cpus();
    sched_setaffinity(0, sizeof old, &old);
    assert_int_equal(n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lock_lets_one_in),
        TEST(a_broadcast_wakes_all),
        TEST(a_signal_wakes_one_that_waits),
        TEST(a_wait_with_a_limit_ends),
        TEST(signals_are_the_main_thread_s),
        TEST(a_thread_that_cannot_start_is_told),
        TEST(joining_what_never_started_is_nothing),
        TEST(there_is_a_processor),
        TEST(the_affinity_is_heeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
