#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/endian.h"
#include "io/crc32c.h"
#include "support/fault.h"
#include "train/tbevents.h"

static int run(const char *path, bool resume, uint64_t from, uint64_t to,
               struct tsl_err *err)
{
    struct tsl_tbevents t;
    int rc = tsl_tbevents_open(&t, path, resume, from - 1, 1000, err);
    for (uint64_t i = from; i < to && rc == 0; i++) {
        const struct tsl_metric values[] = { { "loss", 0.5 + (double)i },
                                             { "lr", 1e-4 } };
        rc = tsl_tbevents_put(&t, i, 1000.5 + (double)i, values, 2, err);
    }
    int rc2 = tsl_tbevents_close(&t, err);
    return rc < 0 ? rc : rc2;
}

/* Byte for byte, from the format's definitions. */
static void an_event_is_what_the_format_says(void **state)
{
    static const uint8_t version[] = { 0x09, 0,   0,   0,   0,   0,   0x40, 0x8f,
                                       0x40, /* 1000.0 */
                                       0x1a, 13,  'b', 'r', 'a', 'i', 'n',  '.',
                                       'E',  'v', 'e', 'n', 't', ':', '2' };
    static const uint8_t first[] = {
        0x09, 0,  0,    0,    0,    0,   0x4c, 0x8f, 0x40, 0x10, 1, /* 1001.5, step 1 */
        0x2a, 24, 0x0a, 11,   0x0a, 4,   'l',  'o',  's',  's',  0x15,
        0,    0,  0xc0, 0x3f,                                         /* 1.5 */
        0x0a, 9,  0x0a, 2,    'l',  'r', 0x15, 0x17, 0xb7, 0xd1, 0x38 /* 1e-4 */
    };
    struct tsl_err err = { 0 };
    size_t n;
    (void)state;
    assert_ok(run("e", false, 1, 2, &err), &err);
    uint8_t *p = file_get("e", &n);
    assert_int_equal(n, 32 + sizeof version + sizeof first);
    assert_int_equal(tsl_load64(p), sizeof version);
    assert_int_equal(tsl_load32(p + 8), tsl_crc32c_masked(p, 8));
    assert_memory_equal(p + 12, version, sizeof version);
    uint8_t *q = p + 16 + sizeof version;
    assert_int_equal(tsl_load64(q), sizeof first);
    assert_memory_equal(q + 12, first, sizeof first);
    assert_int_equal(tsl_load32(q + 12 + sizeof first),
                     tsl_crc32c_masked(q + 12, sizeof first));
    free(p);
}

static void a_run_that_goes_on_has_each_step_once(void **state)
{
    struct tsl_err err = { 0 };
    size_t n, k;
    (void)state;
    assert_ok(run("whole", false, 1, 50, &err), &err);
    uint8_t *p = file_get("whole", &n);
    assert_ok(run("cut", true, 1, 30, &err), &err);
    assert_ok(run("cut", true, 21, 41, &err), &err);
    uint8_t *q = file_get("cut", &k);
    for (size_t less = 1; less < 60; less++) { /* torn anywhere */
        unlink("cut");
        file_put("cut", q, k - less);
        assert_ok(run("cut", true, 39, 50, &err), &err);
        assert_true(file_is("cut", p, n));
    }
    free(q);
    q = file_get("whole", &k);
    q[k / 2] ^= 1; /* what is behind damage is of no use to TensorBoard */
    file_put("cut", q, k);
    assert_ok(run("cut", true, 40, 50, &err), &err);
    free(q);
    free(p);
    file_put_text("cut", "no events");
    assert_ok(run("cut", true, 1, 50, &err), &err);
    p = file_get("whole", &n);
    assert_true(file_is("cut", p, n));
    free(p);
}

static void names_are_plain(void **state)
{
    char s[64];
    (void)state;
    tsl_tbevents_name(s, sizeof s, 1700000000.75, "my host/1");
    assert_string_equal(s, "events.out.tfevents.1700000000.my_host_1");
    tsl_tbevents_name(s, sizeof s, 12, "");
    assert_string_equal(s, "events.out.tfevents.0000000012.");
    tsl_tbevents_name(s, 36, 12, "longer");
    assert_string_equal(s, "events.out.tfevents.0000000012.long");
}

static void any_failure_is_told(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        struct tsl_err err = { 0 };
        assert_ok(run("e", false, 1, 10, &err), &err);
        fault_arm(nth, NULL);
        int rc = run("e", true, 5, 8, &err);
        const char *call = fault_disarm();
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        assert_true(rc < 0 ? err.code == rc && err.msg[0] : fault_is_harmless(call));
        assert_int_equal(folder_count("."), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_what_the_format_says),
        TEST(a_run_that_goes_on_has_each_step_once),
        TEST(names_are_plain),
        TEST(any_failure_is_told),
    };
    fault_skip_syncs(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
