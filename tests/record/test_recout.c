#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "record/recout.h"
#include "support/fault.h"

static int write_file(const char *stem, enum tsl_codec codec, bool commit,
                      struct tsl_recfile *told, struct tsl_err *err)
{
    struct tsl_recout o;
    const struct tsl_rechelp help = { .pool = NULL };
    int rc = tsl_recout_open(&o, stem, ".rec", codec, 0, &help, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < 1000 && rc == 0; i++)
        rc = tsl_recout_write(&o, "some bytes of a record ", (size_t)i % 23, err);
    if (rc == 0)
        rc = tsl_recout_done(&o, err);
    if (rc == 0) {
        *told = o.file;
        assert_string_equal(o.file.name, "x.rec");
    }
    if (rc == 0 && commit)
        rc = tsl_recout_commit(&o, err);
    tsl_recout_close(&o);
    tsl_recout_close(&o); /* twice is fine */
    return rc;
}

static void a_file_is_told_as_it_lies_on_the_disk(void **state)
{
    (void)state;
    for (int codec = TSL_CODEC_NONE; codec <= TSL_CODEC_GZIP; codec++) {
        struct tsl_err err = { 0 };
        struct tsl_recfile told;
        size_t n;
        assert_ok(write_file("./x", (enum tsl_codec)codec, true, &told, &err), &err);
        uint8_t *p = file_get("x.rec", &n);
        assert_int_equal(told.bytes, n);
        assert_int_equal(told.xxh3, tsl_hash64(p, n, 0));
        free(p);
    }
}

static void without_commit_and_after_any_failure_there_is_no_file(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_recfile told;
    assert_ok(write_file("x", TSL_CODEC_NONE, false, &told, &err), &err);
    assert_true(folder_is_empty("."));
    for (unsigned nth = 1;; nth++) {
        fault_arm(nth, "calloc mmap write fsync linkat");
        int rc = write_file("x", TSL_CODEC_NONE, true, &told, &err);
        const char *call = fault_disarm();
        if (!call)
            break;
        assert_true(rc < 0 && err.code == rc);
        assert_true(folder_is_empty("."));
        err = (struct tsl_err){ 0 };
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_told_as_it_lies_on_the_disk),
        TEST(without_commit_and_after_any_failure_there_is_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
