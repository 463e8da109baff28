#include "support/test.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/outfolder.h"
#include "support/fault.h"

static struct tsl_slice slice(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static int write_three(const char *dir, struct tsl_err *err)
{
    const struct tsl_outfolder_file files[] = { { "a", slice("one\n") },
                                                { "b", slice("") },
                                                { "c", slice("three\n") } };
    return tsl_outfolder_write(dir, files, 3, err);
}

static void check_three(const char *dir)
{
    assert_int_equal(folder_count(dir), 3);
    assert_int_equal(chdir(dir), 0);
    assert_true(file_is_text("a", "one\n") && file_is_text("b", "") &&
                file_is_text("c", "three\n"));
    assert_int_equal(chdir(".."), 0);
}

static void remove_three(const char *dir)
{
    assert_int_equal(chdir(dir), 0);
    unlink("a");
    unlink("b");
    unlink("c");
    assert_int_equal(chdir(".."), 0);
}

static void files_appear_in_a_new_folder_and_replace_old_ones(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(tsl_outfolder_check("d", &err), &err);
    assert_true(folder_is_empty("."));
    assert_ok(write_three("d/", &err), &err);
    check_three("d");
    assert_ok(tsl_outfolder_check("d", &err), &err);
    file_put_text("d/a", "old");
    assert_ok(write_three("d", &err), &err);
    check_three("d");
}

static void what_cannot_be_a_folder_is_told(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    file_put_text("file", "x");
    assert_err(tsl_outfolder_check("file", &err), TSL_EIO, &err, "file");
    assert_err(write_three("file", &err), TSL_EIO, &err, "file");
    assert_err(tsl_outfolder_check("no/such", &err), TSL_EIO, &err, "no/such");
    assert_err(write_three("no/such", &err), TSL_EIO, &err, "no/such");
    assert_err(tsl_outfolder_check("", &err), TSL_EIO, &err, "");
    assert_int_equal(folder_count("."), 1);
}

static void a_file_that_cannot_be_replaced_leaves_all_as_they_were(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    assert_int_equal(mkdir("d", 0777), 0);
    assert_int_equal(mkdir("d/c", 0777), 0);
    file_put_text("d/a", "old");
    assert_err(write_three("d", &err), TSL_EIO, &err, "d/c");
    assert_int_equal(folder_count("d"), 2);
    assert_true(file_is_text("d/a", "old"));
}

static void any_failure_leaves_no_file(void **state)
{
    (void)state;
    for (int there = 0; there < 2; there++) {
        for (unsigned nth = 1;; nth++) {
            struct tsl_err err = { 0 };
            if (there)
                assert_int_equal(mkdir("d", 0777), 0);
            fault_arm(nth, NULL);
            int rc = write_three("d", &err);
            const char *call = fault_disarm();
            if (rc == 0) {
                assert_true(!call || fault_is_harmless(call));
                check_three("d");
                remove_three("d");
            } else {
                assert_true(err.msg[0] != '\0');
            }
            assert_int_equal(folder_count("."), there || rc == 0);
            assert_true((!there && rc < 0) || folder_is_empty("d"));
            rmdir("d");
            if (!call)
                break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_appear_in_a_new_folder_and_replace_old_ones),
        TEST(what_cannot_be_a_folder_is_told),
        TEST(a_file_that_cannot_be_replaced_leaves_all_as_they_were),
        TEST(any_failure_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
