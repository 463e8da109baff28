#include "support/test.h"

#include "prep/compat_electra.h"
#include "support/instances.h"

struct run {
    struct tsl_compat_electra *c;
    struct memdocs m;
    struct tsl_sample s;
};

static void same_row(const struct tsl_jsonval *row, void *ctx)
{
    struct run *r = ctx;
    struct tsl_err err = { 0 };
    assert_int_equal(tsl_compat_electra_next(r->c, &r->s, &err), 1);
    instances_same(row, &r->s);
}

static struct tsl_compat_electra_opts opts(uint32_t len)
{
    return (struct tsl_compat_electra_opts){ .special = instances_special(),
                                             .seed = 12345,
                                             .tokens_max = len };
}

static void instances_are_those_of_the_script(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct tsl_err err = { 0 };
        struct run r;
        struct tsl_compat_electra_opts o = opts(i ? 64 : 128);
        instances_docs(&r.m);
        assert_ok(tsl_sample_init(&r.s, 128, &err), &err);
        assert_ok(tsl_compat_electra_create(&r.c, &o, &r.m.docs, &err), &err);
        fixture_each(i ? "formats/electra-instances/electra-seq64-seed12345.jsonl"
                       : "formats/electra-instances/electra-seq128-seed12345.jsonl",
                     same_row, &r);
        assert_int_equal(tsl_compat_electra_next(r.c, &r.s, &err), 0);
        tsl_compat_electra_destroy(r.c);
        tsl_sample_fini(&r.s);
        memdocs_fini(&r.m);
    }
}

/* Documents that go on into each other make fewer samples; files end them. */
static void documents_can_be_joined_but_not_files(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    uint64_t n[3] = { 0 };
    const uint64_t ends[] = { 1, 3 };
    for (unsigned i = 0; i < 3; i++) {
        struct run r;
        struct tsl_compat_electra_opts o = opts(512);
        o.join = i > 0;
        if (i == 2) {
            o.file_ends = ends;
            o.nfiles = 2;
        }
        instances_docs(&r.m);
        assert_ok(tsl_sample_init(&r.s, 512, &err), &err);
        assert_ok(tsl_compat_electra_create(&r.c, &o, &r.m.docs, &err), &err);
        while (tsl_compat_electra_next(r.c, &r.s, &err) == 1)
            assert_int_equal(r.s.address, n[i]++);
        tsl_compat_electra_destroy(r.c);
        tsl_sample_fini(&r.s);
        memdocs_fini(&r.m);
    }
    assert_true(n[1] < n[0] && n[1] <= n[2]);
}

static void options_that_the_script_would_fail_with_are_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_compat_electra *c;
    struct memdocs m;
    struct tsl_compat_electra_opts o = opts(4);
    memdocs_init(&m);
    assert_err(tsl_compat_electra_create(&c, &o, &m.docs, &err), TSL_EUSAGE, &err,
               "length of 4");
    o = opts(64);
    o.special.sep = -1;
    assert_err(tsl_compat_electra_create(&c, &o, &m.docs, &err), TSL_EUSAGE, &err,
               "[SEP]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(instances_are_those_of_the_script),
        TEST(documents_can_be_joined_but_not_files),
        TEST(options_that_the_script_would_fail_with_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
