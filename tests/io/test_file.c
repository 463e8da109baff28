#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/file.h"
#include "support/fault.h"
#include "support/gendata.h"

enum { N = 300000, ALIGN = 4096 };

static uint8_t data[N];

static void fill_data(void)
{
    struct gen g = { 5 };
    gen_bytes(&g, data, N);
}

static void a_file_is_read_to_its_end(void **state)
{
    static uint8_t got[N + 10];
    struct tsl_err err = { 0 };
    struct tsl_file f;
    (void)state;
    fill_data();
    file_put("x", data, N);
    for (int kind = 0; kind < 3; kind++) {
        size_t n = 0;
        int64_t k;
        fault_transfers(kind ? 777 : 0, kind == 2);
        assert_ok(tsl_file_open(&f, "x", &err), &err);
        assert_true(f.regular);
        assert_int_equal(f.size, N);
        while ((k = tsl_file_read(&f, got + n, sizeof got - n, &err)) > 0)
            n += (size_t)k;
        fault_transfers(0, false);
        assert_ok(k, &err);
        assert_int_equal(n, N);
        assert_memory_equal(got, data, N);
        assert_int_equal(f.done, N);
        assert_ok(tsl_file_close(&f, &err), &err);
        assert_int_equal(f.fd, -1);
    }
}

static void short_and_interrupted_writes_are_finished(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    fill_data();
    for (int kind = 0; kind < 3; kind++) {
        struct tsl_file f;
        int fd = open("x", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0);
        assert_ok(tsl_file_wrap(&f, fd, "x", false, &err), &err);
        fault_transfers(kind ? 1001 : 0, kind == 2);
        int rc = tsl_file_write(&f, data, 5, &err);
        if (rc == 0)
            rc = tsl_file_write(&f, data + 5, N - 5, &err);
        if (rc == 0)
            rc = tsl_file_write(&f, data, 0, &err);
        fault_transfers(0, false);
        assert_ok(rc, &err);
        assert_int_equal(f.done, N);
        assert_ok(tsl_file_close(&f, &err), &err);
        assert_true(file_is("x", data, N));
    }
}

static void positioned_transfers_are_whole(void **state)
{
    struct tsl_err err = { 0 };
    static uint8_t got[N];
    (void)state;
    fill_data();
    for (int kind = 0; kind < 3; kind++) {
        struct tsl_file f;
        assert_ok(tsl_file_temp(&f, ".", false, &err), &err);
        fault_transfers(kind ? 777 : 0, kind == 2);
        int rc = tsl_file_pwrite(&f, data + 1000, N - 1000, 1000, &err);
        if (rc == 0)
            rc = tsl_file_pwrite(&f, data, 1000, 0, &err);
        memset(got, 0, N);
        if (rc == 0)
            rc = tsl_file_pread(&f, got + 10, N - 10, 10, &err);
        if (rc == 0)
            rc = tsl_file_pread(&f, got, 10, 0, &err);
        fault_transfers(0, false);
        assert_ok(rc, &err);
        assert_memory_equal(got, data, N);
        tsl_file_close(&f, NULL);
    }
}

static void scattered_reads_are_whole(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_file f;
    struct gen g = { 8 };
    static uint8_t got[N];
    (void)state;
    fill_data();
    assert_ok(tsl_file_temp(&f, ".", false, &err), &err);
    assert_ok(tsl_file_pwrite(&f, data, N, 0, &err), &err);
    for (int i = 0; i < 200; i++) {
        struct iovec v[TSL_FILE_IOV];
        int n = 1 + (int)gen_below(&g, TSL_FILE_IOV);
        size_t at = gen_below(&g, 1000), len = 0;
        for (int k = 0; k < n; k++) {
            v[k] = (struct iovec){ got + len, 1 + gen_below(&g, 4000) };
            len += v[k].iov_len;
        }
        memset(got, 0, N);
        fault_transfers(i % 2 ? 1 + gen_below(&g, 5000) : 0, i % 3 == 0);
        int rc = tsl_file_preadv(&f, v, n, at, &err);
        fault_transfers(0, false);
        assert_ok(rc, &err);
        assert_memory_equal(got, data + at, len);
    }
    tsl_file_close(&f, NULL);
}

/* O_DIRECT wants whole blocks: a short transfer in the middle of one is done again. */
static void direct_transfers_are_whole_however_short(void **state)
{
    enum { BLOCKS = 24 };
    static const size_t most[] = { 0, 64 << 10, 4097, 4096 };
    struct tsl_err err = { 0 };
    uint8_t *p = aligned_alloc(ALIGN, BLOCKS * ALIGN),
            *q = aligned_alloc(ALIGN, BLOCKS * ALIGN);
    (void)state;
    fill_data();
    memcpy(p, data, BLOCKS * ALIGN);
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        struct tsl_file f;
        assert_ok(tsl_file_temp(&f, ".", true, &err), &err);
        fault_transfers(most[i], i % 2);
        memset(q, 0, BLOCKS * ALIGN);
        struct iovec v[3] = { { q, 5 * ALIGN },
                              { q + 5 * ALIGN, 12 * ALIGN },
                              { q + 17 * ALIGN, 7 * ALIGN } };
        int rc = tsl_file_pwrite(&f, p, BLOCKS * ALIGN, ALIGN, &err);
        if (rc == 0)
            rc = tsl_file_preadv(&f, v, 3, ALIGN, &err);
        fault_transfers(0, false);
        assert_ok(rc, &err);
        assert_memory_equal(p, q, BLOCKS * ALIGN);
        tsl_file_close(&f, NULL);
    }
    free(p);
    free(q);
}

static void transfers_shorter_than_a_block_end_direct_access(void **state)
{
    uint8_t *p = aligned_alloc(ALIGN, 4 * ALIGN), *q = aligned_alloc(ALIGN, 4 * ALIGN);
    int status = -1;
    (void)state;
    fill_data();
    memcpy(p, data, 4 * ALIGN);
    pid_t child = fork(); /* which may turn for ever */
    if (child == 0) {
        struct tsl_file f;
        alarm(10);
        bool good = tsl_file_temp(&f, ".", true, NULL) == 0;
        fault_transfers(1000, false);
        good = good && tsl_file_pwrite(&f, p, 4 * ALIGN, 0, NULL) == 0 &&
               tsl_file_pread(&f, q, 4 * ALIGN, 0, NULL) == 0 &&
               memcmp(p, q, 4 * ALIGN) == 0;
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    free(p);
    free(q);
}

static void direct_access_that_is_refused_is_given_up(void **state)
{
    uint8_t *p = aligned_alloc(ALIGN, 4 * ALIGN), *q = aligned_alloc(ALIGN, 4 * ALIGN);
    struct tsl_err err = { 0 };
    (void)state;
    fill_data();
    memcpy(p, data, 4 * ALIGN);
    for (int late = 0; late < 2; late++) { /* at the first write; at the first read */
        struct tsl_file f;
        assert_ok(tsl_file_temp(&f, ".", true, &err), &err);
        fault_refuse_direct(!late);
        int rc = tsl_file_pwrite(&f, p, 4 * ALIGN, ALIGN, &err);
        fault_refuse_direct(true);
        struct iovec v[2] = { { q, ALIGN }, { q + ALIGN, 3 * ALIGN } };
        if (rc == 0)
            rc = tsl_file_preadv(&f, v, 2, ALIGN, &err);
        fault_refuse_direct(false);
        assert_ok(rc, &err);
        assert_memory_equal(p, q, 4 * ALIGN);
        assert_false(fcntl(f.fd, F_GETFL) & O_DIRECT);
        tsl_file_close(&f, NULL);
    }
    /* what is refused for another reason stays an error */
    struct tsl_file f;
    assert_ok(tsl_file_temp(&f, ".", true, &err), &err);
    fault_disk_is(EINVAL);
    int rc = tsl_file_pwrite(&f, p, ALIGN, 0, &err);
    fault_disk_is(0);
    assert_err(rc, TSL_EIO, &err, "Invalid argument");
    tsl_file_close(&f, NULL);
    free(p);
    free(q);
}

static void a_folder_in_memory_is_known(void **state)
{
    struct stat st;
    (void)state;
    assert_true(stat("/dev/shm", &st) < 0 || tsl_file_in_memory("/dev/shm"));
    assert_false(tsl_file_in_memory("/proc"));
    assert_false(tsl_file_in_memory("no such folder"));
}

static void what_is_expected_changes_no_size(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    const char *const folders[] = { ".",
                                    tsl_file_in_memory("/dev/shm") ? "/dev/shm" : "." };
    for (int i = 0; i < 2; i++) {
        struct tsl_file f;
        struct stat st;
        assert_ok(tsl_file_temp(&f, folders[i], false, &err), &err);
        tsl_file_expect(&f, 0, 100000);
        assert_int_equal(fstat(f.fd, &st), 0);
        assert_int_equal(st.st_size, 0);
        assert_ok(tsl_file_write(&f, "some bytes", 10, &err), &err);
        assert_int_equal(fstat(f.fd, &st), 0);
        assert_int_equal(st.st_size, 10);
        tsl_file_close(&f, NULL);
    }
}

static void an_open_file_may_be_had_twice(void **state)
{
    struct tsl_file f, again;
    struct tsl_err err = { 0 };
    char p[3] = "";
    (void)state;
    file_put_text("twice", "abcdef");
    assert_ok(tsl_file_open(&f, "twice", &err), &err);
    assert_ok(tsl_file_dup(&again, &f, &err), &err);
    assert_ok(tsl_file_close(&f, &err), &err);
    assert_string_equal(again.name, "twice");
    assert_ok(tsl_file_pread(&again, p, 2, 3, &err), &err);
    assert_string_equal(p, "de");
    tsl_file_drop(&again, 0, 6);
    assert_ok(tsl_file_pread(&again, p, 2, 0, &err), &err);
    assert_string_equal(p, "ab");
    assert_ok(tsl_file_close(&again, &err), &err);
    f.name = (char[]){ "gone" };
    assert_err(tsl_file_dup(&again, &f, &err), TSL_EIO, &err, "Bad file descriptor");
}

static void a_positioned_read_beyond_the_end_is_an_error(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_file f;
    uint8_t got[100];
    (void)state;
    assert_ok(tsl_file_temp(&f, ".", false, &err), &err);
    assert_ok(tsl_file_pwrite(&f, "0123456789", 10, 0, &err), &err);
    assert_err(tsl_file_pread(&f, got, 11, 0, &err), TSL_EIO, &err, "at byte 10");
    assert_ok(tsl_file_pread(&f, got, 0, 50, &err), &err);
    tsl_file_close(&f, NULL);
}

static void a_failing_transfer_names_file_and_byte(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_file f;
    uint8_t got[10];
    (void)state;
    file_put_text("x y", "0123456789");
    assert_ok(tsl_file_open(&f, "x y", &err), &err);
    assert_int_equal(tsl_file_read(&f, got, 4, &err), 4);
    fault_disk_is(EIO);
    int64_t rc = tsl_file_read(&f, got, 4, &err);
    fault_disk_is(0);
    assert_err(rc, TSL_EIO, &err, "'x y': cannot read at byte 4: Input/output error");
    tsl_file_close(&f, NULL);

    assert_ok(tsl_file_temp(&f, ".", false, &err), &err);
    fault_disk_is(ENOSPC);
    rc = tsl_file_write(&f, data, 100, &err);
    fault_disk_is(0);
    assert_err(rc, TSL_EIO, &err, "No space left on device");
    fault_disk_is(EIO);
    rc = tsl_file_pwrite(&f, data, 100, 4096, &err);
    fault_disk_is(0);
    assert_err(rc, TSL_EIO, &err, "at byte 4096");
    tsl_file_close(&f, NULL);
}

static void a_flag_that_is_refused_is_done_without(void **state)
{
    static const int refusals[] = { EOPNOTSUPP, EINVAL, ENOSYS };
    struct tsl_err err = { 0 };
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct tsl_file f;
        uint8_t got[10];
        fault_refuse_flags(refusals[i]);
        int rc = tsl_file_temp(&f, ".", false, &err);
        if (rc == 0)
            rc = tsl_file_write(&f, "0123456789", 10, &err);
        if (rc == 0)
            rc = tsl_file_pwrite(&f, "abc", 3, 4, &err);
        if (rc == 0)
            rc = tsl_file_pread(&f, got, 10, 0, &err);
        fault_refuse_flags(0);
        assert_ok(rc, &err);
        assert_memory_equal(got, "0123abc789", 10);
        tsl_file_close(&f, NULL);
    }
}

static void what_cannot_be_opened_is_told_by_name(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_file f;
    (void)state;
    assert_err(tsl_file_open(&f, "no\nsuch", &err), TSL_EIO, &err,
               "$'no\\012such': No such file or directory");
    assert_int_equal(f.fd, -1);
    assert_err(tsl_file_open(&f, ".", &err), TSL_EIO, &err, ".: Is a directory");
    assert_int_equal(f.fd, -1);
    assert_ok(tsl_file_close(&f, &err), &err); /* safe to close again */
}

static void a_temporary_file_has_no_name(void **state)
{
    struct tsl_err err = { 0 };
    struct stat st;
    (void)state;
    mode_t mask = umask(0);
    for (int direct = 0; direct < 2; direct++) {
        struct tsl_file f;
        assert_ok(tsl_file_temp(&f, ".", direct, &err), &err);
        assert_true(folder_is_empty("."));
        assert_int_equal(fstat(f.fd, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(st.st_nlink, 0);
        assert_true(fcntl(f.fd, F_GETFD) & FD_CLOEXEC);
        assert_ok(tsl_file_close(&f, &err), &err);
    }
    umask(mask);
}

static void a_temporary_file_needs_its_folder(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_file f;
    (void)state;
    assert_err(tsl_file_temp(&f, "nodir", true, &err), TSL_EIO, &err,
               "nodir: cannot make a temporary file: No such file");
    assert_int_equal(f.fd, -1);
}

static void any_failure_to_make_a_temporary_file_is_told(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        struct tsl_file f;
        fault_arm(nth, NULL);
        int rc = tsl_file_temp(&f, ".", true, &err);
        const char *call = fault_disarm();
        assert_true(folder_is_empty("."));
        if (!call) {
            assert_ok(rc, &err);
            tsl_file_close(&f, NULL);
            break;
        }
        assert_true(rc < 0 && err.code == rc);
        assert_int_equal(f.fd, -1);
    }
}

static void expect_change(const char *part, void (*change)(void))
{
    struct tsl_err err = { 0 };
    struct tsl_file f;
    uint8_t got[4];
    file_put_text("x", "0123456789");
    struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
    assert_int_equal(utimensat(AT_FDCWD, "x", old, 0), 0);
    assert_ok(tsl_file_open(&f, "x", &err), &err);
    assert_int_equal(tsl_file_read(&f, got, 4, &err), 4);
    assert_ok(tsl_file_unchanged(&f, &err), &err);
    change();
    if (part)
        assert_err(tsl_file_unchanged(&f, &err), TSL_EIO, &err, part);
    else
        assert_ok(tsl_file_unchanged(&f, &err), &err);
    tsl_file_close(&f, NULL);
}

static void grow(void)
{
    struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
    file_put_text("x", "0123456789a");
    utimensat(AT_FDCWD, "x", old, 0); /* by its size alone */
}

static void shrink(void)
{
    struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
    assert_int_equal(truncate("x", 9), 0);
    utimensat(AT_FDCWD, "x", old, 0);
}

static void touch(void)
{
    struct timespec later[2] = { { 1000, 0 }, { 1000, 1 } };
    assert_int_equal(utimensat(AT_FDCWD, "x", later, 0), 0);
}

static void remove_it(void)
{
    assert_int_equal(unlink("x"), 0);
}

static void a_file_that_changes_is_noticed(void **state)
{
    (void)state;
    expect_change("x: changed while it was read: 10 bytes, now 11", grow);
    expect_change("10 bytes, now 9", shrink);
    expect_change("x: was written to", touch);
    expect_change(NULL, remove_it); /* its bytes are still what they were */
}

static void a_pipe_has_no_size_and_never_changes(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_file f;
    uint8_t got[10];
    int fd[2];
    (void)state;
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(write(fd[1], "abc", 3), 3);
    close(fd[1]);
    assert_ok(tsl_file_wrap(&f, fd[0], "a pipe", false, &err), &err);
    assert_false(f.regular);
    assert_int_equal(f.size, 0);
    assert_int_equal(tsl_file_read(&f, got, 10, &err), 3);
    assert_int_equal(tsl_file_read(&f, got, 10, &err), 0);
    assert_ok(tsl_file_unchanged(&f, &err), &err);
    assert_ok(tsl_file_sync(&f, &err), &err); /* has no disk to be lost from */
    assert_ok(tsl_file_close(&f, &err), &err);
}

static void a_descriptor_that_is_not_ready_is_waited_for(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_file f;
    uint8_t got[10];
    int fd[2];
    (void)state;
    assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
    pid_t child = fork();
    if (child == 0) {
        usleep(30000);
        _exit(write(fd[1], "late", 4) == 4 ? 0 : 1);
    }
    close(fd[1]);
    assert_ok(tsl_file_wrap(&f, fd[0], "a pipe", false, &err), &err);
    assert_int_equal(tsl_file_read(&f, got, 10, &err), 4);
    assert_memory_equal(got, "late", 4);
    tsl_file_close(&f, NULL);
}

static void what_is_borrowed_is_not_closed(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_file f;
    (void)state;
    int fd = open("/dev/null", O_RDONLY);
    assert_ok(tsl_file_wrap(&f, fd, "x", true, &err), &err);
    assert_ok(tsl_file_close(&f, &err), &err);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    assert_ok(tsl_file_wrap(&f, fd, "x", false, &err), &err);
    assert_ok(tsl_file_close(&f, &err), &err);
    assert_true(fcntl(fd, F_GETFD) < 0);
}

static void failing_sync_and_close_are_told(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_file f;
    (void)state;
    assert_ok(tsl_file_temp(&f, ".", false, &err), &err);
    fault_arm(1, "fsync");
    int rc = tsl_file_sync(&f, &err);
    assert_non_null(fault_disarm());
    assert_err(rc, TSL_EIO, &err, "cannot bring the data to the disk");
    fault_arm(1, "close");
    rc = tsl_file_close(&f, &err);
    assert_non_null(fault_disarm());
    assert_err(rc, TSL_EIO, &err, "cannot close");
    assert_int_equal(f.fd, -1);
}

static void punched_space_reads_as_zero_where_it_can_be(void **state)
{
    enum { LEN = 8 * ALIGN };
    struct tsl_err err = { 0 };
    struct tsl_file f;
    struct stat before, after;
    static uint8_t got[LEN];
    (void)state;
    fill_data();
    assert_ok(tsl_file_temp(&f, ".", false, &err), &err);
    assert_ok(tsl_file_pwrite(&f, data, LEN, 0, &err), &err);
    assert_ok(tsl_file_sync(&f, &err), &err);
    fstat(f.fd, &before);
    tsl_file_punch(&f, 2 * ALIGN, 3 * ALIGN);
    fstat(f.fd, &after);
    assert_ok(tsl_file_pread(&f, got, LEN, 0, &err), &err);
    assert_int_equal(after.st_size, LEN);
    assert_memory_equal(got, data, 2 * ALIGN);
    assert_memory_equal(got + 5 * ALIGN, data + 5 * ALIGN, 3 * ALIGN);
    if (after.st_blocks < before.st_blocks)
        for (int i = 2 * ALIGN; i < 5 * ALIGN; i++)
            assert_int_equal(got[i], 0);
    tsl_file_close(&f, NULL);
}

static void free_space_is_told_or_unknown(void **state)
{
    (void)state;
    assert_true(tsl_file_free_bytes(".") > 0);
    assert_true(tsl_file_free_bytes("nodir") == UINT64_MAX);
}

static void the_limit_of_descriptors_is_raised(void **state)
{
    struct rlimit old, low;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = (struct rlimit){ 40, old.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    unsigned n = tsl_file_room();
    struct rlimit now;
    getrlimit(RLIMIT_NOFILE, &now);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_true(now.rlim_cur == old.rlim_max || now.rlim_cur >= 65536);
    assert_true(n == now.rlim_cur || n == 65536);
}

static void closed_standard_descriptors_are_guarded(void **state)
{
    (void)state;
    for (int closed = 0; closed < 3; closed++) {
        pid_t child = fork();
        if (child == 0) {
            char c = 'x';
            for (int fd = 0; fd <= closed; fd++)
                close(fd);
            tsl_file_guard_std();
            bool good = closed != 0 || read(0, &c, 1) < 0;
            good = good && (closed < 1 || write(1, &c, 1) < 0);
            good = good && (closed < 2 || write(2, &c, 1) < 0);
            int fd =
                open("/dev/null", O_RDONLY); /* and no file of ours gets their number */
            _exit(good && fd > 2 ? 0 : 1);
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

static void a_thread_is_told_how_long_it_ran(void **state)
{
    double ran, waited, later;
    volatile unsigned x = 0;
    (void)state;
    if (!tsl_file_thread_times(&ran, &waited))
        skip(); /* a kernel without CONFIG_SCHED_INFO */
    for (unsigned i = 0; i < 20000000; i++)
        x += i;
    assert_true(tsl_file_thread_times(&later, &waited));
    assert_true(later > ran && later < ran + 60 && waited >= 0 && x != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_read_to_its_end),
        TEST(short_and_interrupted_writes_are_finished),
        TEST(positioned_transfers_are_whole),
        TEST(scattered_reads_are_whole),
        TEST(direct_transfers_are_whole_however_short),
        TEST(transfers_shorter_than_a_block_end_direct_access),
        TEST(direct_access_that_is_refused_is_given_up),
        TEST(a_folder_in_memory_is_known),
        TEST(what_is_expected_changes_no_size),
        TEST(an_open_file_may_be_had_twice),
        TEST(a_positioned_read_beyond_the_end_is_an_error),
        TEST(a_failing_transfer_names_file_and_byte),
        TEST(a_flag_that_is_refused_is_done_without),
        TEST(what_cannot_be_opened_is_told_by_name),
        TEST(a_temporary_file_has_no_name),
        TEST(a_temporary_file_needs_its_folder),
        TEST(any_failure_to_make_a_temporary_file_is_told),
        TEST(a_file_that_changes_is_noticed),
        TEST(a_pipe_has_no_size_and_never_changes),
        TEST(a_descriptor_that_is_not_ready_is_waited_for),
        TEST(what_is_borrowed_is_not_closed),
        TEST(failing_sync_and_close_are_told),
        TEST(punched_space_reads_as_zero_where_it_can_be),
        TEST(free_space_is_told_or_unknown),
        TEST(the_limit_of_descriptors_is_raised),
        TEST(closed_standard_descriptors_are_guarded),
        TEST(a_thread_is_told_how_long_it_ran),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
