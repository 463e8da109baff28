#include "support/test.h"

#include <string.h>

#include "samples/growfile.h"
#include "support/fault.h"

static void bytes_are_the_same_in_memory_and_in_a_file(void **state)
{
    (void)state;
    static const size_t memories[] = { 0, 1, 100, 999, 1000, 1 << 20 };
    for (size_t i = 0; i < sizeof memories / sizeof *memories; i++) {
        struct tsl_growfile g;
        struct tsl_err err = { 0 };
        uint8_t want[1000], buf[64];
        const uint8_t *p;
        size_t len = 0;
        assert_ok(tsl_growfile_init(&g, memories[i], ".", &err), &err);
        for (size_t n = 0; len + n <= sizeof want; len += n++) {
            for (size_t k = 0; k < n; k++)
                want[len + k] = (uint8_t)(n * 7 + k);
            assert_ok(tsl_growfile_put(&g, want + len, n, &err), &err);
            assert_true(g.len == len + n);
        }
        assert_int_equal(tsl_growfile_in_memory(&g), len <= memories[i]);
        for (size_t at = 0; at + sizeof buf <= len; at += 13) {
            assert_ok(tsl_growfile_get(&g, at, sizeof buf, buf, &p, &err), &err);
            assert_memory_equal(p, want + at, sizeof buf);
        }
        assert_true(folder_is_empty("."));
        tsl_growfile_fini(&g);
    }
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    struct tsl_growfile g;
    struct tsl_err err = { 0 };
    assert_ok(tsl_growfile_init(&g, 4, ".", &err), &err);
    assert_ok(tsl_growfile_put(&g, "abc", 3, &err), &err);
    fault_arm(1, "write pwritev");
    int rc = tsl_growfile_put(&g, "defg", 4, &err);
    assert_non_null(fault_disarm());
    assert_err(rc, TSL_EIO, &err, "");
    tsl_growfile_fini(&g);
    assert_ok(tsl_growfile_init(&g, 4, "none", &err), &err);
    assert_err(tsl_growfile_put(&g, "abcdefg", 7, &err), TSL_EIO, &err, "none");
    tsl_growfile_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_are_the_same_in_memory_and_in_a_file),
        TEST(a_full_disk_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
