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

static void a_folder_is_listed_renamed_and_dropped(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_outfolder_names names;
    (void)state;
    assert_ok(write_three("d", &err), &err);
    assert_ok(tsl_outfolder_names(&names, "d", &err), &err);
    assert_int_equal(names.n, 3);
    assert_string_equal(names.name[0], "a");
    assert_string_equal(names.name[2], "c");
    tsl_outfolder_names_fini(&names);
    assert_err(tsl_outfolder_names(&names, "no", &err), TSL_EIO, &err, "no: No such");
    assert_ok(tsl_outfolder_rename("d", "e", &err), &err);
    check_three("e");
    assert_err(tsl_outfolder_rename("d", "f", &err), TSL_EIO, &err,
               "d: cannot rename it to f: No such");
    assert_int_equal(mkdir("e/sub", 0777), 0);
    file_put_text("e/sub/file", "x");
    assert_err(tsl_outfolder_drop("e", &err), TSL_EIO, &err, "e/sub: cannot remove it");
    assert_int_equal(unlink("e/sub/file") | rmdir("e/sub"), 0);
    assert_ok(tsl_outfolder_drop("e", &err), &err);
    assert_ok(tsl_outfolder_drop("e", &err), &err);
    assert_true(folder_is_empty("."));
}

static int list(void *ctx, struct tsl_err *err)
{
    struct tsl_outfolder_names names;
    (void)ctx;
    int rc = tsl_outfolder_names(&names, "d", err);
    tsl_outfolder_names_fini(&names);
    return rc;
}

static void no_memory_for_a_listing_is_told(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(write_three("d", &err), &err);
    fault_each_allocation(list, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_appear_in_a_new_folder_and_replace_old_ones),
        TEST(what_cannot_be_a_folder_is_told),
        TEST(a_file_that_cannot_be_replaced_leaves_all_as_they_were),
        TEST(any_failure_leaves_no_file),
        TEST(a_folder_is_listed_renamed_and_dropped),
        TEST(no_memory_for_a_listing_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
