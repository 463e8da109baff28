/* Words as symbols in memory and on disk, against numbers that are known beforehand. */
#include "support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/fault.h"
#include "support/randtext.h"
#include "text/wordstore.h"

static const char *const temp[] = { "temp" };

enum { WORDS = 30000, LONG = 50000 };

/* Word i of a lot: its symbols and count depend on both. */
static size_t word(uint32_t *ids, size_t i, unsigned lot, uint64_t *count)
{
    struct rnd r = rnd_make(i * 100 + lot, "word");
    size_t n = i == 77 ? LONG : rnd_below(&r, 20);
    for (size_t k = 0; k < n; k++)
        ids[k] = (uint32_t)rnd_below(&r, rnd_below(&r, 3) ? 300 : UINT64_C(1) << 30);
    *count = rnd_below(&r, 2) ? UINT64_MAX - i : i;
    return n;
}

static int put_lot(struct tsl_wordstore *s, unsigned lot, size_t nwords,
                   struct tsl_err *err)
{
    static uint32_t ids[LONG];
    int rc = 0;
    for (size_t i = 0; i < nwords && rc == 0; i++) {
        uint64_t count;
        size_t n = word(ids, i, lot, &count);
        rc = tsl_wordstore_put(s, ids, n, count, err);
    }
    return rc < 0 ? rc : tsl_wordstore_turn(s, err);
}

/* Reads lot; puts what comes after it. */
static int check_lot(struct tsl_wordstore *s, unsigned lot, size_t nwords, bool last,
                     struct tsl_err *err)
{
    static uint32_t want[LONG];
    uint32_t *ids;
    size_t n, i = 0;
    uint64_t count, want_count;
    int rc;
    tsl_wordstore_rewind(s, last);
    for (; (rc = tsl_wordstore_next(s, &ids, &n, &count, err)) > 0; i++) {
        size_t want_n = word(want, i, lot, &want_count);
        assert_int_equal(n, want_n);
        assert_true(count == want_count);
        assert_true(n == 0 || memcmp(ids, want, n * sizeof *ids) == 0);
        if (!last)
            continue;
        n = word(want, i, lot + 1, &want_count);
        rc = tsl_wordstore_put(s, want, n, want_count, err);
        if (rc < 0)
            return rc;
    }
    assert_true(rc < 0 || i == nwords);
    return rc;
}

static int run(const struct tsl_wordstore_opts *o, size_t nwords, struct tsl_err *err)
{
    struct tsl_wordstore *s = NULL;
    int rc = tsl_wordstore_create(&s, o, err);
    if (rc == 0)
        rc = put_lot(s, 0, nwords, err);
    for (unsigned lot = 0; lot < 3 && rc == 0; lot++) {
        assert_int_equal(tsl_wordstore_words(s), nwords);
        rc = check_lot(s, lot, nwords, false, err);
        if (rc == 0)
            rc = check_lot(s, lot, nwords, true, err);
        if (rc == 0)
            rc = tsl_wordstore_turn(s, err);
    }
    if (rc == 0 && o->ndirs)
        assert_true(tsl_wordstore_peak(s) <= o->memory);
    tsl_wordstore_destroy(s);
    return rc;
}

static void words_come_back_from_memory_and_disk(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_wordstore_opts o = { .memory = 0, .dirs = temp, .ndirs = 1 };
    mkdir("temp", 0700);
    assert_ok(run(&o, WORDS, &err), &err);
    o.memory = 300 << 10;
    assert_ok(run(&o, WORDS, &err), &err);
    assert_ok(run(&o, 0, &err), &err);
    assert_ok(run(&o, 1, &err), &err);
    o.ndirs = 0;
    assert_ok(run(&o, WORDS, &err), &err);
    tsl_wordstore_destroy(NULL);
}

static void a_block_that_comes_back_other_is_told(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_wordstore_opts o = { .memory = 0, .dirs = temp, .ndirs = 1 };
    mkdir("temp", 0700);
    fault_flip(2, 999);
    assert_err(run(&o, WORDS, &err), TSL_EIO, &err, "came back other");
    fault_flip(0, 0);
}

static void any_failure_is_told(void **state)
{
    (void)state;
    struct tsl_wordstore_opts o = { .memory = 100 << 10, .dirs = temp, .ndirs = 1 };
    mkdir("temp", 0700);
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        fault_arm(nth, NULL);
        int rc = run(&o, 1000, &err);
        if (!fault_disarm()) {
            assert_ok(rc, &err);
            break;
        }
        if (rc < 0)
            assert_true(err.msg[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_come_back_from_memory_and_disk),
        TEST(a_block_that_comes_back_other_is_told),
        TEST(any_failure_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
