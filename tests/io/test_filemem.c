#include "io/filemem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/test.h"

enum { MIB = 1 << 20 };

static struct tsl_filemem *made(void)
{
    struct tsl_filemem *m = NULL;
    struct tsl_err err = { 0 };
    assert_ok(tsl_filemem_create(&m, ".", 16 << 20, &err), &err);
    return m;
}

static bool all(const uint8_t *p, size_t n, uint8_t byte)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != byte)
            return false;
    return true;
}

static void blocks_keep_their_bytes_while_they_grow(void **state)
{
    struct tsl_filemem *m = made();
    uint8_t *p[3] = { NULL };
    size_t cap[3] = { 0 };
    struct tsl_err err = { 0 };
    (void)state;
    tsl_mem_home_use(true);
    for (size_t n = 1; n < 40 * (size_t)MIB; n = n * 3 / 2 + 1)
        for (int i = 0; i < 3; i++) {
            size_t old = cap[i];
            assert_ok(tsl_mem_grow(&p[i], &cap[i], n, 1, "it", &err), &err);
            memset(p[i] + old, 'a' + i, cap[i] - old);
        }
    for (int i = 0; i < 3; i++) {
        assert_true(all(p[i], cap[i], (uint8_t)('a' + i)));
        tsl_mem_free(p[i]);
    }
    tsl_mem_home_use(false);
    tsl_filemem_destroy(m);
}

static void a_new_block_is_zero_where_another_was(void **state)
{
    struct tsl_filemem *m = made();
    struct tsl_err err = { 0 };
    (void)state;
    tsl_mem_home_use(true);
    for (int i = 0; i < 3; i++) {
        uint8_t *p = tsl_mem_alloc(3 * MIB, 1, "it", &err);
        assert_non_null(p);
        assert_true(all(p, 3 * MIB, 0));
        memset(p, 1, 3 * MIB);
        tsl_mem_free(p);
    }
    tsl_mem_home_use(false);
    tsl_filemem_destroy(m);
}

static void there_is_one_at_a_time_and_small_blocks_stay_on_the_heap(void **state)
{
    struct tsl_filemem *m = made(), *other = NULL;
    struct tsl_err err = { 0 };
    (void)state;
    assert_err(tsl_filemem_create(&other, ".", 1, &err), TSL_EUSAGE, &err, "another");
    tsl_mem_home_use(true);
    void *small = tsl_mem_alloc(1, 100, "it", &err);
    tsl_mem_home_use(false);
    tsl_filemem_destroy(m);
    tsl_mem_free(small);
    tsl_filemem_destroy(made());
}

/* The addresses that the process has, and more. */
static void limit_addresses(struct rlimit *old, uint64_t more)
{
    size_t n;
    char *statm = (char *)file_get("/proc/self/statm", &n);
    assert_non_null(statm);
    assert_int_equal(getrlimit(RLIMIT_AS, old), 0);
    struct rlimit r = *old;
    r.rlim_cur = strtoull(statm, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE) + more;
    free(statm);
    assert_int_equal(setrlimit(RLIMIT_AS, &r), 0);
}

static void blocks_are_smaller_where_addresses_are_few(void **state)
{
    struct tsl_filemem *m = NULL;
    struct tsl_err err = { 0 };
    struct rlimit old;
    (void)state;
    limit_addresses(&old, (uint64_t)100 << 30);
    m = made();
    tsl_mem_home_use(true);
    uint8_t *p = tsl_mem_alloc(3 * MIB, 1, "it", &err);
    assert_non_null(p);
    memset(p, 1, 3 * MIB);
    assert_null(tsl_mem_resize(p, (size_t)2 << 30, 1, "it", &err));
    assert_err(err.code, TSL_ENOMEM, &err, "a long row");
    assert_true(all(p, 3 * MIB, 1));
    tsl_mem_free(p);
    tsl_mem_home_use(false);
    tsl_filemem_destroy(m);
    assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);

    limit_addresses(&old, (uint64_t)2 << 30);
    assert_err(tsl_filemem_create(&m, ".", 1, &err), TSL_ENOMEM, &err, "map");
    assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
}

static void no_folder_no_memory(void **state)
{
    struct tsl_filemem *m = NULL;
    struct tsl_err err = { 0 };
    (void)state;
    assert_err(tsl_filemem_create(&m, "nowhere", 1, &err), TSL_EIO, &err, "nowhere");
    tsl_filemem_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(blocks_keep_their_bytes_while_they_grow),
        TEST(a_new_block_is_zero_where_another_was),
        TEST(there_is_one_at_a_time_and_small_blocks_stay_on_the_heap),
        TEST(blocks_are_smaller_where_addresses_are_few),
        TEST(no_folder_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
