#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/journal.h"
#include "support/fault.h"

static void lines_are_found_again(void **state)
{
    struct tsl_journal j;
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(tsl_journal_open(&j, "x.journal", TSL_JOURNAL_NEW, &err), &err);
    assert_ok(tsl_journal_add(&j, "{\"one\":1}", &err), &err);
    assert_ok(tsl_journal_add(&j, "", &err), &err);
    tsl_journal_close(&j);
    assert_ok(tsl_journal_open(&j, "x.journal", TSL_JOURNAL_RESUME, &err), &err);
    assert_int_equal(j.nlines, 2);
    assert_string_equal(j.lines[0], "{\"one\":1}");
    assert_string_equal(j.lines[1], "");
    assert_ok(tsl_journal_add(&j, "three", &err), &err);
    tsl_journal_close(&j);
    assert_ok(tsl_journal_open(&j, "x.journal", TSL_JOURNAL_RESUME, &err), &err);
    assert_int_equal(j.nlines, 3);
    assert_ok(tsl_journal_remove(&j, &err), &err);
    tsl_journal_close(&j);
    assert_true(folder_is_empty("."));
}

static void a_journal_that_is_there_is_not_forgotten_by_accident(void **state)
{
    struct tsl_journal j;
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(tsl_journal_open(&j, "j", TSL_JOURNAL_NEW, &err), &err);
    assert_ok(tsl_journal_add(&j, "a", &err), &err);
    tsl_journal_close(&j);
    assert_err(tsl_journal_open(&j, "j", TSL_JOURNAL_NEW, &err), TSL_EUSAGE, &err,
               "--resume");
    assert_ok(tsl_journal_open(&j, "j", TSL_JOURNAL_FORCE, &err), &err);
    assert_int_equal(j.nlines, 0);
    tsl_journal_close(&j);
    assert_true(file_is_text("j", ""));
}

static void two_jobs_cannot_hold_one_journal(void **state)
{
    struct tsl_journal a, b;
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(tsl_journal_open(&a, "j", TSL_JOURNAL_NEW, &err), &err);
    assert_err(tsl_journal_open(&b, "j", TSL_JOURNAL_RESUME, &err), TSL_EUSAGE, &err,
               "another process");
    tsl_journal_close(&b);
    tsl_journal_close(&a);
    assert_ok(tsl_journal_open(&b, "j", TSL_JOURNAL_RESUME, &err), &err);
    tsl_journal_close(&b);
}

static void a_torn_end_is_not_written_and_other_damage_is_told(void **state)
{
    struct tsl_journal j;
    struct tsl_err err = { 0 };
    size_t n, first;
    (void)state;
    assert_ok(tsl_journal_open(&j, "j", TSL_JOURNAL_NEW, &err), &err);
    assert_ok(tsl_journal_add(&j, "first line", &err), &err);
    first = (size_t)j.file.done;
    assert_ok(tsl_journal_add(&j, "second line", &err), &err);
    tsl_journal_close(&j);
    uint8_t *whole = file_get("j", &n);
    for (size_t cut = 0; cut <= n; cut++) {
        file_put("j", whole, cut);
        assert_ok(tsl_journal_open(&j, "j", TSL_JOURNAL_RESUME, &err), &err);
        assert_int_equal(j.nlines, (cut >= first) + (cut == n));
        assert_ok(tsl_journal_add(&j, "and on", &err), &err);
        tsl_journal_close(&j);
        assert_ok(tsl_journal_open(&j, "j", TSL_JOURNAL_RESUME, &err), &err);
        assert_int_equal(j.nlines, (cut >= first) + (cut == n) + 1);
        tsl_journal_close(&j);
    }
    for (size_t i = 0; i < first; i++) { /* its newline, too */
        whole[i] ^= 1;
        file_put("j", whole, n);
        assert_err(tsl_journal_open(&j, "j", TSL_JOURNAL_RESUME, &err), TSL_EFORMAT, &err,
                   "line 1 is damaged");
        whole[i] ^= 1;
    }
    free(whole);
}

static const struct CMUnitTest tests[] = {
    TEST(lines_are_found_again),
    TEST(a_journal_that_is_there_is_not_forgotten_by_accident),
    TEST(two_jobs_cannot_hold_one_journal),
    TEST(a_torn_end_is_not_written_and_other_damage_is_told),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
