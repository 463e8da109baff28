#include "support/test.h"

#include <string.h>

#include "base/mem.h"
#include "support/fault.h"

/* ThreadSanitizer's calloc ends the program where another returns NULL, unless told. */
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void fresh_memory_is_zero(void **state)
{
    struct tsl_err err = { 0 };
    uint64_t *p = tsl_mem_alloc(1000, sizeof *p, "x", &err);
    (void)state;
    assert_non_null(p);
    for (size_t i = 0; i < 1000; i++)
        assert_true(p[i] == 0);
    tsl_mem_free(p);
}

static void nothing_can_be_had_and_freed(void **state)
{
    struct tsl_err err = { 0 };
    void *p = tsl_mem_alloc(0, 8, "x", &err), *q = tsl_mem_alloc(8, 0, "x", &err);
    (void)state;
    assert_non_null(p);
    assert_non_null(q);
    tsl_mem_free(p);
    tsl_mem_free(q);
    tsl_mem_free(NULL);
    p = tsl_mem_resize(NULL, 0, 8, "x", &err);
    assert_non_null(p);
    tsl_mem_free(p);
}

static void a_product_that_overflows_is_refused(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    assert_null(tsl_mem_alloc(SIZE_MAX / 2 + 2, 2, "a table", &err));
    assert_err(err.code, TSL_ENOMEM, &err, "a table");
    assert_null(tsl_mem_resize(NULL, SIZE_MAX / 4 + 2, 4, "a table", &err));
    assert_err(err.code, TSL_ENOMEM, &err, "a table");
}

static void a_failing_resize_keeps_the_old(void **state)
{
    struct tsl_err err = { 0 };
    char *p = tsl_mem_alloc(8, 1, "x", &err);
    (void)state;
    assert_non_null(p);
    memcpy(p, "abcdefg", 8);
    fault_arm(1, "realloc");
    assert_null(tsl_mem_resize(p, 100, 1, "more", &err));
    assert_string_equal(fault_disarm(), "realloc");
    assert_err(err.code, TSL_ENOMEM, &err, "100 bytes for more");
    assert_string_equal(p, "abcdefg");
    tsl_mem_free(p);
}

static void growing_keeps_items_and_allocates_rarely(void **state)
{
    struct tsl_err err = { 0 };
    uint32_t *v = NULL;
    size_t cap = 0, ngrown = 0;
    (void)state;
    for (size_t n = 0; n < 10000; n++) {
        size_t before = cap;
        assert_ok(tsl_mem_grow(&v, &cap, n + 1, sizeof *v, "x", &err), &err);
        assert_true(cap >= n + 1);
        ngrown += cap != before;
        v[n] = (uint32_t)n * 7;
    }
    assert_in_range(ngrown, 1, 14);
    for (size_t n = 0; n < 10000; n++)
        assert_int_equal(v[n], n * 7);
    assert_ok(tsl_mem_grow(&v, &cap, 1 << 20, sizeof *v, "x", &err), &err);
    assert_true(cap >= 1 << 20);
    tsl_mem_free(v);
}

static void a_failing_grow_keeps_array_and_capacity(void **state)
{
    struct tsl_err err = { 0 };
    uint32_t *v = NULL;
    size_t cap = 0;
    (void)state;
    assert_ok(tsl_mem_grow(&v, &cap, 1, sizeof *v, "x", &err), &err);
    uint32_t *old = v;
    size_t old_cap = cap;
    v[0] = 42;
    fault_arm(1, "realloc");
    int rc = tsl_mem_grow(&v, &cap, old_cap + 1, sizeof *v, "numbers", &err);
    assert_non_null(fault_disarm());
    assert_err(rc, TSL_ENOMEM, &err, "numbers");
    assert_ptr_equal(v, old);
    assert_int_equal(cap, old_cap);
    assert_int_equal(v[0], 42);
    tsl_mem_free(v);
}

static void a_copy_of_a_name_is_its_own(void **state)
{
    struct tsl_err err = { 0 };
    char name[] = "name";
    char *copy = tsl_mem_strdup(name, &err);
    (void)state;
    assert_non_null(copy);
    name[0] = 'x';
    assert_string_equal(copy, "name");
    tsl_mem_free(copy);
    fault_arm(1, "calloc");
    assert_null(tsl_mem_strdup(name, &err));
    assert_non_null(fault_disarm());
    assert_err(err.code, TSL_ENOMEM, &err, "memory");
}

static void pages_are_aligned_and_zero(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    static const size_t sizes[] = { 1, 4095, 4096, 4097, 1 << 20 };
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        uint8_t *p = tsl_pages_map(sizes[k], "pages", &err);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % TSL_PAGE_BYTES, 0);
        tsl_pages_want_huge(p, sizes[k]);
        for (size_t i = 0; i < sizes[k]; i++)
            assert_int_equal(p[i], 0);
        p[sizes[k] - 1] = 1;
        tsl_pages_unmap(p, sizes[k]);
    }
    tsl_pages_unmap(NULL, 4096);
}

static void pages_that_cannot_be_had_are_told(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    assert_null(tsl_pages_map(SIZE_MAX, "pages", &err));
    assert_err(err.code, TSL_ENOMEM, &err, "pages");
    assert_null(tsl_pages_map(SIZE_MAX - 4096, "pages", &err));
    assert_err(err.code, TSL_ENOMEM, &err, "pages");
    fault_arm(1, "mmap");
    assert_null(tsl_pages_map(4096, "pages", &err));
    assert_non_null(fault_disarm());
    assert_err(err.code, TSL_ENOMEM, &err, "4096 bytes for pages");
}

static void dropped_pages_read_zero_and_others_stay(void **state)
{
    enum { N = 8 * TSL_PAGE_BYTES };
    struct tsl_err err = { 0 };
    uint8_t *p = tsl_pages_map(N, "pages", &err);
    (void)state;
    assert_non_null(p);
    memset(p, 7, N);
    /* only whole pages within: [1, 3) of 4096 */
    tsl_pages_drop(p + 100, 3 * TSL_PAGE_BYTES);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(p[i], i >= TSL_PAGE_BYTES && i < 3 * TSL_PAGE_BYTES ? 0 : 7);
    tsl_pages_drop(p + 10, 100); /* not one whole page: nothing */
    assert_int_equal(p[50], 7);
    memset(p, 8, N); /* the range is still there */
    tsl_pages_unmap(p, N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fresh_memory_is_zero),
        TEST(nothing_can_be_had_and_freed),
        TEST(a_product_that_overflows_is_refused),
        TEST(a_failing_resize_keeps_the_old),
        TEST(growing_keeps_items_and_allocates_rarely),
        TEST(a_failing_grow_keeps_array_and_capacity),
        TEST(a_copy_of_a_name_is_its_own),
        TEST(pages_are_aligned_and_zero),
        TEST(pages_that_cannot_be_had_are_told),
        TEST(dropped_pages_read_zero_and_others_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
