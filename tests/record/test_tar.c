#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/tar.h"
#include "support/fixture.h"

/* The next file's name and size; its bytes are passed over. */
static int next(struct tsl_tar *t, struct tsl_err *err)
{
    int rc = tsl_tar_next(t, err);
    if (rc != 1)
        return rc;
    uint8_t *p = malloc((size_t)t->size + 1);
    rc = tsl_tar_read(t, p, err);
    free(p);
    return rc < 0 ? rc : 1;
}

/* How many files archive a has; or the error. */
static int count(struct tsl_err *err)
{
    static struct tsl_tar t;
    int n = 0;
    t = (struct tsl_tar){ .size = 0 };
    int rc = tsl_source_open(&t.src, "a", 1 << 20, err);
    if (rc < 0)
        return rc;
    while ((rc = next(&t, err)) == 1)
        n++;
    tsl_source_close(&t.src, NULL);
    return rc < 0 ? rc : n;
}

static void a_header_has_the_bytes_that_others_write(void **state)
{
    (void)state;
    size_t n;
    uint8_t p[TSL_TAR_BLOCK];
    struct tsl_err err = { 0 };
    uint8_t *theirs = fixture_get("formats/webdataset/ustar/bert-000000.tar", &n);
    char name[101] = "";
    memcpy(name, theirs, 100);
    uint64_t size = strtoull((char *)theirs + 124, NULL, 8);
    assert_ok(tsl_tar_head(p, name, size, &err), &err);
    /* not their time, and so not their checksum */
    assert_memory_equal(p, theirs, 136);
    assert_memory_equal(p + 156, theirs + 156, 329 - 156);
    /* the numbers of a device, which a file has not: blank, or 0 */
    assert_memory_equal(p + 345, theirs + 345, TSL_TAR_BLOCK - 345);
    assert_string_equal((char *)p + 136, "00000000000");
    assert_true(tsl_tar_is(p, sizeof p));
    unsigned sum = 0;
    for (int i = 0; i < TSL_TAR_BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : p[i];
    assert_int_equal(strtoul((char *)p + 148, NULL, 8), sum);
    free(theirs);
}

static void long_names_are_cut_at_a_slash_or_refused(void **state)
{
    (void)state;
    uint8_t p[TSL_TAR_BLOCK];
    char name[300];
    struct tsl_err err = { 0 };
    memset(name, 'n', sizeof name);
    name[100] = 0;
    assert_ok(tsl_tar_head(p, name, 0, &err), &err);
    name[100] = 'n';
    name[101] = 0;
    assert_err(tsl_tar_head(p, name, 0, &err), TSL_EUSAGE, &err, "ustar");
    name[0] = '/';
    assert_err(tsl_tar_head(p, name, 0, &err), TSL_EUSAGE, &err, "ustar");
    memset(name, 'n', sizeof name);
    name[155] = '/';
    name[256] = 0;
    assert_ok(tsl_tar_head(p, name, 0, &err), &err);
    assert_int_equal(p[345 + 154], 'n');
    assert_int_equal(p[99], 'n');
    assert_err(tsl_tar_head(p, "x", (uint64_t)1 << 33, &err), TSL_EUSAGE, &err, "ustar");
    assert_ok(tsl_tar_head(p, "x", ((uint64_t)1 << 33) - 1, &err), &err);
    assert_memory_equal(p + 124, "77777777777", 12);
}

static void every_changed_bit_of_a_header_is_noticed(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    static uint8_t p[3 * TSL_TAR_BLOCK];
    assert_ok(tsl_tar_head(p, "dir/a.txt", 0, &err), &err);
    file_put("a", p, sizeof p);
    assert_int_equal(count(&err), 1);
    for (size_t i = 0; i < TSL_TAR_BLOCK; i++) {
        if (i == 154 || i == 155) /* what ends the checksum's digits says nothing */
            continue;
        p[i] ^= 1;
        file_put("a", p, sizeof p);
        assert_err(count(&err), TSL_EFORMAT, &err, "a: header at byte 0: ");
        p[i] ^= 1;
    }
}

static void long_names_of_both_kinds_are_read(void **state)
{
    (void)state;
    static const char *const names[] = { "longname_pax", "prefix_ustar" };
    for (size_t i = 0; i < 2; i++) {
        struct tsl_err err = { 0 };
        char path[64];
        size_t n;
        snprintf(path, sizeof path, "formats/webdataset/%s.tar", names[i]);
        uint8_t *p = fixture_get(path, &n);
        file_put("a", p, n);
        static struct tsl_tar t;
        t = (struct tsl_tar){ .size = 0 };
        assert_ok(tsl_source_open(&t.src, "a", 1 << 20, &err), &err);
        assert_int_equal(next(&t, &err), 1);
        assert_true(strlen(t.name) > 100);
        tsl_source_close(&t.src, NULL);
        int all = count(&err);
        assert_ok(all, &err);
        for (size_t cut = 1; cut < n; cut += 97) { /* cut short: told, or fewer files */
            file_put("a", p, cut);
            int got = count(&err);
            assert_true(got < 0 ? got == TSL_EFORMAT && err.msg[0] : got <= all);
            err = (struct tsl_err){ 0 };
        }
        free(p);
    }
}

static void names_that_lead_out_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = { "/etc/x", "../x", "a/../x", "a/.." };
    static uint8_t p[3 * TSL_TAR_BLOCK];
    struct tsl_err err = { 0 };
    for (size_t i = 0; i < 4; i++) {
        assert_ok(tsl_tar_head(p, names[i], 0, &err), &err);
        file_put("a", p, sizeof p);
        assert_err(count(&err), TSL_EFORMAT, &err, "leads out");
    }
    assert_ok(tsl_tar_head(p, "a..b/..c", 0, &err), &err);
    file_put("a", p, sizeof p);
    assert_int_equal(count(&err), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_header_has_the_bytes_that_others_write),
        TEST(long_names_are_cut_at_a_slash_or_refused),
        TEST(every_changed_bit_of_a_header_is_noticed),
        TEST(long_names_of_both_kinds_are_read),
        TEST(names_that_lead_out_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
