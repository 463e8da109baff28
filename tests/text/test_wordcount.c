/* Counts against those of an array that has one place for each word. */
#include "support/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "par/thread.h"
#include "support/fault.h"
#include "support/gendata.h"
#include "text/wordcount.h"

static const char *const temp[] = { "temp" };

/* Words by number, each with bytes of its own; their counts. */
struct truth {
    size_t nwords, len; /* len: of words beyond their number; 0: short ones */
    uint64_t *count;
    uint32_t *order; /* numbers by the bytes of their words */
};

static struct tsl_slice word_of(const struct truth *t, size_t number, uint8_t *buf)
{
    /* the same begin for many words, some with NULs, some the begin of others */
    int n =
        snprintf((char *)buf, 32, "%s%zx", number % 3 ? "pre" : "", number * 2654435761U);
    if (number % 5 == 0)
        buf[n - 1] = '\0';
    for (size_t i = 0; i < t->len + number % 4; i++)
        buf[n++] = (uint8_t)(number % 7 * 40);
    memcpy(buf + n, &number, 3);
    return (struct tsl_slice){ buf, (size_t)n + 3 };
}

enum { WORD_BUF = 70000 };

static const struct truth *sorting;

static int by_word(const void *a, const void *b)
{
    static uint8_t p[WORD_BUF], q[WORD_BUF];
    struct tsl_slice v = word_of(sorting, *(const uint32_t *)a, p),
                     w = word_of(sorting, *(const uint32_t *)b, q);
    int order = memcmp(v.data, w.data, v.len < w.len ? v.len : w.len);
    return order ? order : (v.len > w.len) - (v.len < w.len);
}

static struct truth truth_make(size_t nwords, size_t len)
{
    struct truth t = { nwords, len, calloc(nwords, sizeof *t.count),
                       calloc(nwords, sizeof *t.order) };
    for (size_t i = 0; i < nwords; i++)
        t.order[i] = (uint32_t)i;
    sorting = &t;
    qsort(t.order, nwords, sizeof *t.order, by_word);
    return t;
}

static void truth_free(struct truth *t)
{
    free(t->count);
    free(t->order);
}

/* One of many words, some of them often. */
static size_t draw(struct gen *g, size_t n)
{
    uint64_t x = gen_u64(g);
    return x % 3 ? (x >> 8) % (n / 16 + 1) : (x >> 8) % n;
}

struct adding {
    struct tsl_wordcount *wc;
    const struct truth *t;
    struct tsl_thread thread;
    struct tsl_err err;
    uint64_t *count;
    unsigned adder;
    size_t nadd;
    int rc;
};

static void add_many(void *arg)
{
    struct adding *a = arg;
    struct gen g = { a->adder + 1 };
    uint8_t *buf = malloc(WORD_BUF);
    for (size_t i = 0; i < a->nadd && a->rc == 0; i++) {
        size_t number = draw(&g, a->t->nwords);
        uint64_t count = i % 100 == 0 ? UINT64_C(1) << 40 : i % 3 + 1;
        struct tsl_slice w = word_of(a->t, number, buf);
        /* in memory of its own size, so that a sanitizer sees what is read */
        uint8_t *copy = malloc(w.len);
        memcpy(copy, w.data, w.len);
        a->rc = tsl_wordcount_add(a->wc, a->adder, (struct tsl_slice){ copy, w.len },
                                  count, &a->err);
        free(copy);
        a->count[number] += count;
    }
    free(buf);
}

static void check_words(struct tsl_wordcount *wc, const struct truth *t)
{
    struct tsl_err err = { 0 };
    struct tsl_slice got;
    uint64_t count, words = 0;
    uint8_t *buf = malloc(WORD_BUF);
    for (size_t i = 0; i < t->nwords; i++) {
        size_t number = t->order[i];
        if (!t->count[number])
            continue;
        struct tsl_slice want = word_of(t, number, buf);
        assert_int_equal(tsl_wordcount_next(wc, &got, &count, &err), 1);
        assert_int_equal(got.len, want.len);
        assert_memory_equal(got.data, want.data, want.len);
        assert_true(count == t->count[number]);
        words++;
    }
    assert_int_equal(tsl_wordcount_next(wc, &got, &count, &err), 0);
    assert_int_equal(tsl_wordcount_next(wc, &got, &count, &err), 0);
    assert_true(tsl_wordcount_stats(wc).words == words);
    free(buf);
}

/* Adds by so many threads, and compares; returns what it took. */
static struct tsl_wordcount_stats count_and_check(struct truth *t, size_t memory,
                                                  unsigned nthreads, size_t nadd)
{
    struct tsl_wordcount_opts o = { memory, nthreads, temp, 1, NULL };
    struct tsl_wordcount *wc;
    struct tsl_err err = { 0 };
    struct adding a[4];
    (void)mkdir("temp", 0700);
    memset(t->count, 0, t->nwords * sizeof *t->count);
    assert_ok(tsl_wordcount_create(&wc, &o, &err), &err);
    for (unsigned i = 0; i < nthreads; i++) {
        a[i] = (struct adding){ wc, t, { 0 }, { 0 }, NULL, i, nadd, 0 };
        a[i].count = calloc(t->nwords, sizeof *a[i].count);
        assert_ok(tsl_thread_start(&a[i].thread, add_many, &a[i], &err), &err);
    }
    for (unsigned i = 0; i < nthreads; i++) {
        tsl_thread_join(&a[i].thread);
        assert_ok(a[i].rc, &a[i].err);
        for (size_t k = 0; k < t->nwords; k++)
            t->count[k] += a[i].count[k];
        free(a[i].count);
    }
    assert_ok(tsl_wordcount_finish(wc, &err), &err);
    check_words(wc, t);
    struct tsl_wordcount_stats st = tsl_wordcount_stats(wc);
    tsl_wordcount_destroy(wc);
    assert_true(folder_is_empty("temp"));
    return st;
}

static void counts_are_those_of_an_array(void **state)
{
    (void)state;
    struct truth t = truth_make(60000, 0);
    for (unsigned n = 1; n <= 4; n += n == 1 ? 1 : 2) {
        struct tsl_wordcount_stats st = count_and_check(&t, 64 << 20, n, 200000);
        assert_int_equal(st.runs, 0);
        assert_int_equal(st.passes, 0);
        st = count_and_check(&t, (size_t)n << 20, n, 200000);
        assert_true(st.runs >= 2);
        assert_true(st.passes >= 1);
    }
    truth_free(&t);
}

static void many_runs_are_merged_in_several_passes(void **state)
{
    (void)state;
    struct rlimit old, few;
    struct truth t = truth_make(60000, 90);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = old;
    few.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct tsl_wordcount_stats st = count_and_check(&t, 1 << 20, 2, 100000);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_true(st.runs > 30);
    assert_true(st.passes >= 2);
    assert_true(st.temp_peak > 4 << 20);
    truth_free(&t);
}

static void words_may_be_as_long_as_a_block_allows(void **state)
{
    (void)state;
    struct truth t = truth_make(300, TSL_WORDCOUNT_WORD_MAX - 40);
    struct tsl_wordcount_stats st = count_and_check(&t, 1 << 20, 2, 300);
    assert_true(st.passes >= 3); /* three at a time */
    truth_free(&t);
}

static struct tsl_wordcount *counted(const struct truth *t, uint64_t *count, size_t nadd,
                                     int *rc, struct tsl_err *err)
{
    struct tsl_wordcount_opts o = { 1 << 20, 1, temp, 1, NULL };
    struct tsl_wordcount *wc = NULL;
    *rc = tsl_wordcount_create(&wc, &o, err);
    struct adding a = { wc, t, { 0 }, { 0 }, count, 0, nadd, 0 };
    if (*rc == 0) {
        add_many(&a);
        *rc = a.rc;
        tsl_err_pass(err, &a.err);
    }
    if (*rc == 0)
        *rc = tsl_wordcount_finish(wc, err);
    if (*rc < 0) {
        tsl_wordcount_destroy(wc);
        wc = NULL;
    }
    return wc;
}

static void a_list_has_the_words_that_came_often_enough(void **state)
{
    (void)state;
    struct truth t = truth_make(40000, 20);
    (void)mkdir("temp", 0700);
    for (int spills = 0; spills < 2; spills++) {
        struct tsl_err err = { 0 };
        struct tsl_wordlist l;
        uint8_t buf[100];
        int rc;
        memset(t.count, 0, t.nwords * sizeof *t.count);
        struct tsl_wordcount *wc =
            counted(&t, t.count, spills ? 100000 : 5000, &rc, &err);
        assert_ok(rc, &err);
        assert_true((tsl_wordcount_stats(wc).runs > 0) == spills);
        assert_ok(tsl_wordcount_list(wc, 3, &l, &err), &err);
        tsl_wordcount_destroy(wc);
        size_t n = 0;
        for (size_t i = 0; i < t.nwords; i++) {
            if (t.count[t.order[i]] < 3)
                continue;
            struct tsl_slice want = word_of(&t, t.order[i], buf);
            struct tsl_slice got = tsl_wordlist_at(&l, n);
            assert_int_equal(got.len, want.len);
            assert_memory_equal(got.data, want.data, want.len);
            assert_true(l.count[n] == t.count[t.order[i]]);
            n++;
        }
        assert_int_equal(l.n, n);
        tsl_wordlist_fini(&l);
    }
    truth_free(&t);
}

static void no_words_are_fine(void **state)
{
    struct tsl_wordcount_opts o = { 1 << 20, 2, temp, 1, NULL };
    struct tsl_wordcount *wc;
    struct tsl_err err = { 0 };
    struct tsl_wordlist l;
    (void)state;
    assert_ok(tsl_wordcount_create(&wc, &o, &err), &err);
    assert_ok(
        tsl_wordcount_add(wc, 1, (struct tsl_slice){ (const uint8_t *)"x", 1 }, 0, &err),
        &err);
    assert_ok(tsl_wordcount_finish(wc, &err), &err);
    assert_ok(tsl_wordcount_list(wc, 1, &l, &err), &err);
    assert_int_equal(l.n, 0);
    tsl_wordlist_fini(&l);
    tsl_wordcount_destroy(wc);
}

static void too_little_memory_is_told(void **state)
{
    struct tsl_wordcount_opts o = { (2 << 20) - 1, 4, temp, 1, NULL };
    struct tsl_wordcount *wc;
    struct tsl_err err = { 0 };
    (void)state;
    assert_err(tsl_wordcount_create(&wc, &o, &err), TSL_EUSAGE, &err, "at least 2048");
}

static void counts_that_do_not_fit_are_an_error(void **state)
{
    const struct tsl_slice w = { (const uint8_t *)"word", 4 };
    (void)state;
    for (unsigned second = 0; second < 2; second++) {
        struct tsl_wordcount_opts o = { 2 << 20, 2, temp, 1, NULL };
        struct tsl_wordcount *wc;
        struct tsl_err err = { 0 };
        assert_ok(tsl_wordcount_create(&wc, &o, &err), &err);
        assert_ok(tsl_wordcount_add(wc, 0, w, UINT64_MAX, &err), &err);
        int rc = tsl_wordcount_add(wc, second, w, 1, &err);
        if (second)
            rc = rc < 0 ? rc : tsl_wordcount_finish(wc, &err);
        assert_err(rc, TSL_EFORMAT, &err, "2^64");
        tsl_wordcount_destroy(wc);
    }
}

static void what_the_disk_changed_is_found(void **state)
{
    (void)state;
    struct truth t = truth_make(40000, 60);
    unsigned found = 0;
    (void)mkdir("temp", 0700);
    for (unsigned nth = 1; nth < 12; nth++) {
        struct tsl_err err = { 0 };
        struct tsl_slice word;
        uint64_t count;
        int rc;
        fault_flip(nth, nth * 977 % 4000);
        struct tsl_wordcount *wc = counted(&t, t.count, 30000, &rc, &err);
        while (rc == 0 && (rc = tsl_wordcount_next(wc, &word, &count, &err)) == 1)
            rc = 0;
        tsl_wordcount_destroy(wc);
        fault_flip(0, 0);
        if (rc < 0) {
            assert_err(rc, TSL_EIO, &err, "temp: temporary block");
            found++;
        }
        assert_true(folder_is_empty("temp"));
    }
    assert_true(found >= 8);
    truth_free(&t);
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    struct truth t = truth_make(40000, 60);
    struct tsl_err err = { 0 };
    int rc;
    (void)mkdir("temp", 0700);
    fault_disk_is(ENOSPC);
    assert_null(counted(&t, t.count, 30000, &rc, &err));
    fault_disk_is(0);
    assert_err(rc, TSL_EIO, &err, "No space left");
    truth_free(&t);
}

static void any_failure_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    struct truth t = truth_make(40000, 60);
    (void)mkdir("temp", 0700);
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        struct tsl_err err = { 0 };
        struct tsl_wordlist l = { 0 };
        int rc;
        memset(t.count, 0, t.nwords * sizeof *t.count);
        fault_arm(nth, "calloc realloc mmap open mkostemp fstat preadv pwritev");
        struct tsl_wordcount *wc = counted(&t, t.count, 12000, &rc, &err);
        if (rc == 0)
            rc = tsl_wordcount_list(wc, 1, &l, &err);
        const char *call = fault_disarm();
        tsl_wordcount_destroy(wc);
        assert_true(folder_is_empty("temp"));
        if (rc < 0)
            assert_int_equal(rc, err.code);
        else /* less memory, for which there was a way round */
            assert_true(!call || strcmp(call, "mmap") == 0 ||
                        strcmp(call, "realloc") == 0);
        size_t n = 0;
        for (size_t i = 0; rc == 0 && i < t.nwords; i++)
            n += t.count[i] > 0;
        assert_int_equal(l.n, n);
        tsl_wordlist_fini(&l);
        if (!call)
            break;
    }
    truth_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counts_are_those_of_an_array),
        TEST(many_runs_are_merged_in_several_passes),
        TEST(words_may_be_as_long_as_a_block_allows),
        TEST(a_list_has_the_words_that_came_often_enough),
        TEST(no_words_are_fine),
        TEST(too_little_memory_is_told),
        TEST(counts_that_do_not_fit_are_an_error),
        TEST(what_the_disk_changed_is_found),
        TEST(a_full_disk_is_an_error),
        TEST(any_failure_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
