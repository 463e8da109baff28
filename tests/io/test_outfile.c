#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/outfile.h"
#include "support/fault.h"

/* Writes text to path; commit or not. */
static int write_out(const char *path, bool named, bool commit, struct tsl_err *err)
{
    struct tsl_outfile o;
    int rc = tsl_outfile_open(&o, path, named, err);
    if (rc < 0)
        return rc;
    rc = tsl_file_write(&o.file, "new text\n", 9, err);
    if (rc == 0)
        rc = tsl_outfile_done(&o, err);
    if (rc == 0 && commit)
        rc = tsl_outfile_commit(&o, err);
    tsl_outfile_close(&o);
    return rc;
}

static void a_file_appears_at_commit(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    for (int named = 0; named < 2; named++) {
        struct tsl_outfile o;
        assert_ok(tsl_outfile_open(&o, "out", named, &err), &err);
        assert_ok(tsl_file_write(&o.file, "new text\n", 9, &err), &err);
        assert_false(file_exists("out"));
        assert_ok(tsl_outfile_done(&o, &err), &err);
        assert_false(file_exists("out"));
        assert_ok(tsl_outfile_commit(&o, &err), &err);
        assert_true(file_is_text("out", "new text\n"));
        tsl_outfile_close(&o);
        assert_int_equal(folder_count("."), 1);
        unlink("out");
    }
}

static void without_commit_nothing_is_left(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    for (int named = 0; named < 2; named++) {
        assert_ok(write_out("out", named, false, &err), &err);
        assert_true(folder_is_empty("."));
        struct tsl_outfile o; /* nor without done */
        assert_ok(tsl_outfile_open(&o, "out", named, &err), &err);
        assert_ok(tsl_file_write(&o.file, "x", 1, &err), &err);
        tsl_outfile_close(&o);
        tsl_outfile_close(&o); /* twice is fine */
        assert_true(folder_is_empty("."));
    }
}

static void an_existing_target_stays_until_commit(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    for (int named = 0; named < 2; named++) {
        file_put_text("out", "old");
        assert_ok(write_out("out", named, false, &err), &err);
        assert_true(file_is_text("out", "old"));
        assert_int_equal(folder_count("."), 1);
        assert_ok(write_out("out", named, true, &err), &err);
        assert_true(file_is_text("out", "new text\n"));
        assert_int_equal(folder_count("."), 1);
    }
}

static void any_failure_leaves_no_file(void **state)
{
    (void)state;
    for (int named = 0; named < 2; named++)
        for (unsigned nth = 1;; nth++) {
            struct tsl_err err = { 0 };
            fault_arm(nth, NULL);
            int rc = write_out("out", named, true, &err);
            const char *call = fault_disarm();
            if (!call) {
                assert_ok(rc, &err);
                assert_true(nth > 8);
                unlink("out");
                break;
            }
            if (rc == 0) {
                assert_true(fault_is_harmless(call));
                assert_true(file_is_text("out", "new text\n"));
            } else {
                assert_int_equal(err.code, rc);
                /* once it has its name it is whole: only syncing the folder comes after
                 */
                assert_true(folder_is_empty(".") || file_is_text("out", "new text\n"));
            }
            assert_true(folder_count(".") <= 1);
            unlink("out");
            assert_true(folder_is_empty("."));
        }
}

static void any_failure_leaves_the_old_or_the_new(void **state)
{
    (void)state;
    for (int named = 0; named < 2; named++)
        for (unsigned nth = 1;; nth++) {
            struct tsl_err err = { 0 };
            file_put_text("out", "old");
            fault_arm(nth, NULL);
            int rc = write_out("out", named, true, &err);
            const char *call = fault_disarm();
            if (rc < 0) {
                assert_int_equal(err.code, rc);
                assert_true(file_is_text("out", "old") ||
                            file_is_text("out", "new text\n"));
            } else {
                assert_true(file_is_text("out", "new text\n"));
            }
            assert_int_equal(folder_count("."), 1);
            if (!call) {
                assert_ok(rc, &err);
                break;
            }
            assert_true(rc < 0 || fault_is_harmless(call));
        }
}

static void what_was_not_synced_is_not_committed(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    for (int named = 0; named < 2; named++) {
        fault_arm(1, "fsync");
        int rc = write_out("out", named, true, &err);
        assert_non_null(fault_disarm());
        assert_err(rc, TSL_EIO, &err, "cannot bring the data to the disk");
        assert_true(folder_is_empty("."));
        fault_arm(2, "fsync");
        rc = write_out("out", named, true, &err);
        assert_non_null(fault_disarm());
        assert_err(rc, TSL_EIO, &err, "cannot bring the folder to the disk");
        unlink("out");
    }
}

static void a_symbolic_link_stays_a_link(void **state)
{
    struct tsl_err err = { 0 };
    struct stat st;
    char to[100];
    (void)state;
    for (int named = 0; named < 2; named++) {
        assert_int_equal(mkdir("d", 0700), 0);
        assert_int_equal(symlink("d/second", "first"), 0);
        assert_int_equal(symlink("file", "d/second"), 0); /* from d on: d/file */
        for (int round = 0; round < 2; round++) { /* a new target, then an old one */
            assert_ok(write_out("first", named, true, &err), &err);
            assert_int_equal(lstat("first", &st), 0);
            assert_true(S_ISLNK(st.st_mode));
            ssize_t n = readlink("first", to, sizeof to);
            assert_int_equal(n, 8);
            assert_memory_equal(to, "d/second", 8);
            assert_int_equal(lstat("d/file", &st), 0);
            assert_true(S_ISREG(st.st_mode));
            assert_true(file_is_text("d/file", "new text\n"));
            assert_int_equal(folder_count("."), 2);
            assert_int_equal(folder_count("d"), 2);
        }
        unlink("first");
        unlink("d/second");
        unlink("d/file");
        rmdir("d");
    }
}

static void links_in_a_circle_are_an_error(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    assert_int_equal(symlink("b", "a"), 0);
    assert_int_equal(symlink("a", "b"), 0);
    assert_err(write_out("a", false, true, &err), TSL_EIO, &err, "symbolic links");
    assert_int_equal(folder_count("."), 2);
}

static void the_mode_is_the_old_one_or_the_usual_one(void **state)
{
    struct tsl_err err = { 0 };
    struct stat st;
    (void)state;
    mode_t mask = umask(027);
    for (int named = 0; named < 2; named++) {
        assert_ok(write_out("out", named, true, &err), &err);
        assert_int_equal(stat("out", &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(chmod("out", 0604), 0);
        assert_ok(write_out("out", named, true, &err), &err);
        assert_int_equal(stat("out", &st), 0);
        assert_int_equal(st.st_mode & 07777, 0604);
        unlink("out");
    }
    umask(mask);
}

static void a_file_that_may_not_be_written_is_refused_at_once(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_outfile o;
    (void)state;
    file_put_text("out", "old");
    chmod("out", 0400);
    if (access("out", W_OK) == 0)
        skip(); /* root may */
    assert_err(tsl_outfile_open(&o, "out", false, &err), TSL_EIO, &err,
               "Permission denied");
}

static void a_folder_that_is_missing_is_told_at_once(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_outfile o;
    (void)state;
    for (int named = 0; named < 2; named++) {
        assert_err(tsl_outfile_open(&o, "nodir/out", named, &err), TSL_EIO, &err,
                   "nodir");
        tsl_outfile_close(&o);
        assert_err(tsl_outfile_open(&o, ".", named, &err), TSL_EIO, &err, "directory");
        tsl_outfile_close(&o);
    }
}

static void a_pipe_is_written_directly(void **state)
{
    struct tsl_err err = { 0 };
    char got[20] = "";
    struct stat st;
    (void)state;
    assert_int_equal(mkfifo("out", 0600), 0);
    int fd = open("out", O_RDONLY | O_NONBLOCK);
    assert_true(fd >= 0);
    assert_ok(write_out("out", false, true, &err), &err);
    assert_int_equal(read(fd, got, sizeof got), 9);
    assert_memory_equal(got, "new text\n", 9);
    close(fd);
    assert_int_equal(stat("out", &st), 0);
    assert_true(S_ISFIFO(st.st_mode)); /* it is still one */
    assert_ok(write_out("/dev/null", true, true, &err), &err);
}

static void standard_output_is_written_directly(void **state)
{
    (void)state;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct tsl_err err = { 0 };
        int fd = open("out", O_WRONLY | O_CREAT, 0600);
        dup2(fd, 1);
        int rc = write_out(NULL, false, true, &err);
        _exit(rc == 0 && fcntl(1, F_GETFD) >= 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(file_is_text("out", "new text\n"));
}

static void standard_output_that_cannot_be_written_is_told_at_the_first_byte(void **state)
{
    (void)state;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct tsl_err err = { 0 };
        struct tsl_outfile o;
        dup2(open("/dev/null", O_RDONLY), 1);
        bool good = tsl_outfile_open(&o, NULL, false, &err) == 0 &&
                    tsl_file_write(&o.file, "x", 1, &err) == TSL_EIO &&
                    err.code == TSL_EIO;
        _exit(good ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void hidden_files_can_be_removed_in_a_hurry(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_outfile a, b, c;
    (void)state;
    assert_ok(tsl_outfile_open(&a, "a", true, &err), &err);
    assert_ok(tsl_outfile_open(&b, "b", true, &err), &err);
    assert_ok(tsl_outfile_open(&c, "c", true, &err), &err);
    assert_int_equal(folder_count("."), 3);
    assert_ok(tsl_outfile_done(&c, &err), &err);
    assert_ok(tsl_outfile_commit(&c, &err), &err); /* no longer hidden: stays */
    tsl_outfile_unlink_all();
    assert_int_equal(folder_count("."), 1);
    assert_true(file_exists("c"));
    tsl_outfile_close(&a);
    tsl_outfile_close(&b);
    tsl_outfile_close(&c);
    assert_ok(write_out("a", true, true, &err), &err);
    tsl_outfile_unlink_all(); /* forgotten with their close */
    assert_int_equal(folder_count("."), 2);
}

static void a_named_output_holds_no_descriptor_until_commit(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_outfile o[30];
    char name[20];
    (void)state;
    int before = open("/dev/null", O_RDONLY);
    close(before);
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "out%d", i);
        assert_ok(tsl_outfile_open(&o[i], name, true, &err), &err);
        assert_ok(tsl_outfile_done(&o[i], &err), &err);
    }
    int after = open("/dev/null", O_RDONLY);
    close(after);
    assert_int_equal(after, before);
    for (int i = 0; i < 30; i++) {
        assert_ok(tsl_outfile_commit(&o[i], &err), &err);
        tsl_outfile_close(&o[i]);
    }
    assert_int_equal(folder_count("."), 30);
    assert_true(file_exists("out29"));
}

static void names_of_every_length_work(void **state)
{
    struct tsl_err err = { 0 };
    char name[300];
    (void)state;
    memset(name, 'n', sizeof name);
    for (int named = 0; named < 2; named++) {
        name[255] = '\0'; /* NAME_MAX; the hidden name beside it needs 8 more */
        for (int exists = 0; exists < 2; exists++)
            assert_ok(write_out(name, named, true, &err), &err);
        unlink(name);
        name[255] = 'n';
    }
    name[256] = '\0';
    assert_err(write_out(name, false, true, &err), TSL_EIO, &err, "File name too long");
    assert_true(folder_is_empty("."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_appears_at_commit),
        TEST(without_commit_nothing_is_left),
        TEST(an_existing_target_stays_until_commit),
        TEST(any_failure_leaves_no_file),
        TEST(any_failure_leaves_the_old_or_the_new),
        TEST(what_was_not_synced_is_not_committed),
        TEST(a_symbolic_link_stays_a_link),
        TEST(links_in_a_circle_are_an_error),
        TEST(the_mode_is_the_old_one_or_the_usual_one),
        TEST(a_file_that_may_not_be_written_is_refused_at_once),
        TEST(a_folder_that_is_missing_is_told_at_once),
        TEST(a_pipe_is_written_directly),
        TEST(standard_output_is_written_directly),
        TEST(standard_output_that_cannot_be_written_is_told_at_the_first_byte),
        TEST(hidden_files_can_be_removed_in_a_hurry),
        TEST(a_named_output_holds_no_descriptor_until_commit),
        TEST(names_of_every_length_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
