#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/file.h"
#include "io/spill.h"
#include "support/fault.h"
#include "support/gendata.h"

/* BIG slots make regions of REGION extents. */
enum { SLOT = 8192, PAGE = 4096, EXTENTS = 40, BIG = 64 << 10, REGION = 16 };

static const char *const here[] = { "." };

static void *pages(size_t n)
{
    void *p = aligned_alloc(PAGE, n);
    assert_non_null(p);
    return p;
}

/* The content of a slot. */
static void fill_slot(uint8_t *p, uint32_t slot)
{
    struct gen g = { slot };
    for (size_t i = 0; i < SLOT; i += 8) {
        uint64_t v = gen_u64(&g);
        memcpy(p + i, &v, 8);
    }
}

static void slots_hold_what_was_written(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_spill *s = NULL;
    uint8_t *p = pages(SLOT), *q = pages(TSL_SPILL_EXTENT * SLOT);
    uint32_t first[EXTENTS];
    (void)state;
    assert_ok(tsl_spill_create(&s, here, 1, SLOT, TSL_SPILL_EXTENT, &err), &err);
    for (int e = 0; e < EXTENTS; e++) {
        assert_ok(tsl_spill_extent(s, 0, &first[e], &err), &err);
        for (int k = 0; k < e; k++) /* nobody else's */
            assert_true(first[e] >= first[k] + TSL_SPILL_EXTENT ||
                        first[k] >= first[e] + TSL_SPILL_EXTENT);
    }
    for (int e = EXTENTS; e-- > 0;)
        for (uint32_t i = 0; i < TSL_SPILL_EXTENT; i++) {
            fill_slot(p, first[e] + i);
            struct iovec pair[2] = { { p, SLOT }, { q, SLOT } };
            if (e % 2 == 0) {
                assert_ok(tsl_spill_write(s, first[e] + i, p, SLOT, &err), &err);
            } else if (i % 2) { /* the one before, too */
                fill_slot(q, first[e] + i);
                fill_slot(p, first[e] + i - 1);
                assert_ok(tsl_spill_writev(s, first[e] + i - 1, pair, 2, &err), &err);
            }
        }
    assert_int_equal(tsl_spill_stats(s).written, EXTENTS * TSL_SPILL_EXTENT * SLOT);
    for (int e = 0; e < EXTENTS; e++)
        for (uint32_t i = 0; i < TSL_SPILL_EXTENT; i += 1 + i / 2) {
            struct iovec v[TSL_SPILL_EXTENT]; /* neighbours in one call */
            int n = (int)(TSL_SPILL_EXTENT - i);
            for (int k = 0; k < n; k++)
                v[k] = (struct iovec){ q + k * SLOT, SLOT };
            assert_ok(tsl_spill_read(s, first[e] + i, v, n, &err), &err);
            for (int k = 0; k < n; k++) {
                fill_slot(p, first[e] + i + (uint32_t)k);
                assert_memory_equal(q + k * SLOT, p, SLOT);
            }
        }
    assert_true(folder_is_empty("."));
    tsl_spill_destroy(s);
    free(p);
    free(q);
}

static void a_slot_may_be_filled_in_part(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_spill *s = NULL;
    uint8_t *p = pages(SLOT), *q = pages(SLOT);
    uint32_t slot;
    (void)state;
    assert_ok(tsl_spill_create(&s, here, 1, SLOT, TSL_SPILL_EXTENT, &err), &err);
    assert_ok(tsl_spill_extent(s, 0, &slot, &err), &err);
    fill_slot(p, 1);
    assert_ok(tsl_spill_write(s, slot + 3, p, PAGE, &err), &err);
    struct iovec v = { q, PAGE };
    assert_ok(tsl_spill_read(s, slot + 3, &v, 1, &err), &err);
    assert_memory_equal(p, q, PAGE);
    v = (struct iovec){ q, SLOT }; /* what was not written is not there */
    assert_err(tsl_spill_read(s, slot + 3, &v, 1, &err), TSL_EIO, &err, "ended early");
    tsl_spill_destroy(s);
    free(p);
    free(q);
}

/* Open files of such folders, by way of /proc: they have no names. */
static size_t count_open_files(const char *suffix)
{
    size_t n = 0;
    char path[64], to[600];
    for (int fd = 3; fd < 100; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(path, to, sizeof to - 1);
        if (len < 0)
            continue;
        to[len] = '\0';
        n += strstr(to, suffix) != NULL;
    }
    return n;
}

static void folders_are_filled_evenly(void **state)
{
    static const char *const dirs[] = { "a-folder", "b-folder", "c-folder" };
    struct tsl_err err = { 0 };
    struct tsl_spill *s = NULL;
    uint8_t *p = pages(SLOT);
    uint32_t slot[12];
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(mkdir(dirs[i], 0700), 0);
    assert_ok(tsl_spill_create(&s, dirs, 3, SLOT, TSL_SPILL_EXTENT, &err), &err);
    assert_int_equal(count_open_files("-folder"), 0); /* made on first use */
    memset(p, 1, SLOT);
    for (unsigned e = 0; e < 12; e++) {
        assert_ok(tsl_spill_extent(s, e, &slot[e], &err), &err);
        assert_string_equal(tsl_spill_folder(s, slot[e]), dirs[e % 3]);
        for (uint32_t i = 0; i < TSL_SPILL_EXTENT; i++)
            assert_ok(tsl_spill_write(s, slot[e] + i, p, SLOT, &err), &err);
        /* two files in each of three folders */
        assert_int_equal(count_open_files("-folder"), e < 5 ? e + 1 : 6);
        assert_int_equal(count_open_files(dirs[e % 3]), e < 3 ? 1 : 2);
    }
    for (int fd = 3; fd < 100; fd++) {
        char path[64], to[600];
        struct stat st;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(path, to, sizeof to - 1);
        if (len < 0 || (to[len] = '\0', !strstr(to, "-folder")))
            continue;
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_size, (slot[1] - slot[0] + TSL_SPILL_EXTENT) * SLOT);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(st.st_nlink, 0);
    }
    tsl_spill_destroy(s);
    assert_int_equal(count_open_files("-folder"), 0);
    free(p);
}

/* 512-byte blocks that the open files of this folder hold; they have no names. */
static uint64_t blocks_held(void)
{
    uint64_t n = 0;
    for (int fd = 3; fd < 100; fd++) {
        struct stat st;
        if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0)
            n += (uint64_t)st.st_blocks;
    }
    return n;
}

static bool punches_holes(void)
{
    struct tsl_file f = TSL_FILE_INIT;
    struct tsl_err err = { 0 };
    uint8_t *p = pages(BIG);
    uint64_t before = blocks_held();
    memset(p, 1, BIG);
    assert_ok(tsl_file_temp(&f, ".", false, &err), &err);
    assert_ok(tsl_file_write(&f, p, BIG, &err), &err);
    tsl_file_punch(&f, 0, BIG);
    uint64_t after = blocks_held();
    tsl_file_close(&f, NULL);
    free(p);
    return after == before;
}

/* Two groups in turn, each of which is released as a whole, in some order. */
static void released_space_goes_back_and_is_used_again(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_spill *s = NULL;
    uint8_t *p = pages(BIG);
    uint32_t slot[2][EXTENTS];
    uint32_t most = 0;
    (void)state;
    memset(p, 1, BIG);
    bool holes = punches_holes();
    uint64_t before = blocks_held();
    assert_ok(tsl_spill_create(&s, here, 1, BIG, TSL_SPILL_EXTENT, &err), &err);
    for (unsigned round = 0; round < 6; round++) {
        for (unsigned e = 0; e < EXTENTS; e++)
            for (unsigned g = 0; g < 2; g++) {
                uint32_t *at = &slot[g][e];
                assert_ok(tsl_spill_extent(s, g, at, &err), &err);
                assert_ok(tsl_spill_write(s, *at, p, BIG, &err), &err);
                most = *at > most ? *at : most;
            }
        assert_true(tsl_spill_stats(s).now == (uint64_t)2 * EXTENTS * BIG);
        for (unsigned g = 0; g < 2; g++) {
            for (unsigned e = 0; e < EXTENTS; e++)
                tsl_spill_release(s, slot[g][(e * 7) % EXTENTS]);
            assert_true(tsl_spill_stats(s).now == (uint64_t)(1 - g) * EXTENTS * BIG);
        }
        assert_true(!holes || blocks_held() == before);
    }
    /* each group's last region goes on where it was: two more than are filled */
    assert_true(most < (2 * EXTENTS + 4 * REGION) * TSL_SPILL_EXTENT);
    struct tsl_spill_stats st = tsl_spill_stats(s);
    assert_true(st.written == (uint64_t)6 * 2 * EXTENTS * BIG);
    assert_true(st.peak == (uint64_t)2 * EXTENTS * BIG);
    tsl_spill_destroy(s);
    free(p);
}

static void a_region_goes_back_when_all_of_it_is_released(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_spill *s = NULL;
    uint8_t *p = pages(BIG);
    uint32_t slot[REGION + 1];
    (void)state;
    memset(p, 1, BIG);
    assert_ok(tsl_spill_create(&s, here, 1, BIG, TSL_SPILL_EXTENT, &err), &err);
    for (int e = 0; e <= REGION; e++) {
        assert_ok(tsl_spill_extent(s, 0, &slot[e], &err), &err);
        assert_ok(tsl_spill_write(s, slot[e], p, BIG, &err), &err);
    }
    for (int e = REGION; e-- > 1;)
        tsl_spill_release(s, slot[e]);
    assert_true(tsl_spill_stats(s).now == (uint64_t)(REGION + 1) * BIG);
    tsl_spill_release(s, slot[0]);
    assert_true(tsl_spill_stats(s).now == BIG);
    struct iovec v = { p, BIG }; /* the next one's is still there */
    memset(p, 0, BIG);
    assert_ok(tsl_spill_read(s, slot[REGION], &v, 1, &err), &err);
    assert_int_equal(p[0], 1);
    tsl_spill_destroy(s);
    free(p);
}

static void a_full_disk_is_told_with_its_folder(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_spill *s = NULL;
    uint8_t *p = pages(SLOT);
    uint32_t slot;
    (void)state;
    memset(p, 1, SLOT);
    assert_int_equal(mkdir("temp folder", 0700), 0);
    static const char *const dirs[] = { "temp folder" };
    assert_ok(tsl_spill_create(&s, dirs, 1, SLOT, TSL_SPILL_EXTENT, &err), &err);
    assert_ok(tsl_spill_extent(s, 0, &slot, &err), &err);
    fault_arm(1, "pwritev write");
    int rc = tsl_spill_write(s, slot, p, SLOT, &err);
    assert_non_null(fault_disarm());
    assert_err(rc, TSL_EIO, &err,
               "'temp folder': cannot write temporary data at byte 0: No space");
    assert_true(tsl_spill_stats(s).written == 0);
    tsl_spill_destroy(s);
    free(p);
}

static void a_folder_that_is_missing_is_told(void **state)
{
    static const char *const dirs[] = { "nodir" };
    struct tsl_err err = { 0 };
    struct tsl_spill *s = NULL;
    uint32_t slot;
    (void)state;
    assert_ok(tsl_spill_create(&s, dirs, 1, SLOT, TSL_SPILL_EXTENT, &err), &err);
    assert_err(tsl_spill_extent(s, 0, &slot, &err), TSL_EIO, &err, "nodir");
    tsl_spill_destroy(s);
    tsl_spill_destroy(NULL);
}

static void any_failure_is_told(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        struct tsl_spill *s = NULL;
        uint8_t *p = pages(SLOT);
        uint32_t slot;
        memset(p, 1, SLOT);
        fault_arm(nth, NULL);
        int rc = tsl_spill_create(&s, here, 1, SLOT, TSL_SPILL_EXTENT, &err);
        for (int e = 0; e < 20 && rc == 0; e++) {
            rc = tsl_spill_extent(s, 0, &slot, &err);
            if (rc == 0)
                rc = tsl_spill_write(s, slot, p, SLOT, &err);
            struct iovec v = { p, SLOT };
            if (rc == 0)
                rc = tsl_spill_read(s, slot, &v, 1, &err);
        }
        const char *call = fault_disarm();
        tsl_spill_destroy(s);
        free(p);
        assert_true(folder_is_empty("."));
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        assert_true(rc < 0 && err.code == rc);
    }
}

static void free_space_is_that_of_the_fullest_folder_times_all(void **state)
{
    static const char *const two[] = { ".", "." }, *const odd[] = { ".", "nodir" };
    (void)state;
    uint64_t one = tsl_spill_free_bytes(here, 1), both = tsl_spill_free_bytes(two, 2);
    assert_true(one > 0);
    assert_true(both > one); /* others write here, too: nothing more exact can be said */
    assert_true(tsl_spill_free_bytes(odd, 2) > one);
    assert_true(tsl_spill_free_bytes(odd + 1, 1) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(slots_hold_what_was_written),
        TEST(a_slot_may_be_filled_in_part),
        TEST(folders_are_filled_evenly),
        TEST(released_space_goes_back_and_is_used_again),
        TEST(a_region_goes_back_when_all_of_it_is_released),
        TEST(a_full_disk_is_told_with_its_folder),
        TEST(a_folder_that_is_missing_is_told),
        TEST(any_failure_is_told),
        TEST(free_space_is_that_of_the_fullest_folder_times_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
