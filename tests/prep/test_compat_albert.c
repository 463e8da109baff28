#include "support/test.h"

#include <string.h>

#include "prep/compat_albert.h"
#include "support/instances.h"

struct run {
    struct tsl_compat_pair *c;
    struct memdocs m;
    struct tsl_sample s;
    uint64_t i;
};

static void same_row(const struct tsl_jsonval *row, void *ctx)
{
    struct run *r = ctx;
    struct tsl_err err = { 0 };
    assert_ok(tsl_compat_pair_at(r->c, r->i++, &r->m.docs, &r->s, &err), &err);
    instances_same(row, &r->s);
    const struct tsl_jsonval *starts = tsl_jsonread_get(row, "token_boundary");
    for (uint32_t i = 0; i < r->s.n; i++)
        assert_int_equal(fixture_int_at(starts, i), r->s.starts[i]);
}

static void instances_are_those_of_the_script(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct run r = { 0 };
    struct tsl_compat_albert_opts o = tsl_compat_albert_defaults();
    o.pair.special = instances_special();
    o.pair.tokens_max = 128;
    o.pair.dupes = 3;
    o.np_seed = 12345;
    instances_docs(&r.m);
    assert_ok(tsl_sample_init(&r.s, 128, &err), &err);
    assert_ok(tsl_compat_albert_create(&r.c, &o, &r.m.docs, &err), &err);
    size_t n =
        fixture_each("formats/albert-instances/sop-ngram3-seq128-dupe3-npseed12345.jsonl",
                     same_row, &r);
    assert_int_equal(n, tsl_compat_pair_count(r.c));
    o.ngram = 0;
    struct tsl_compat_pair *none;
    assert_err(tsl_compat_albert_create(&none, &o, &r.m.docs, &err), TSL_EUSAGE, &err,
               "runs of 0 words");
    tsl_compat_pair_destroy(r.c);
    tsl_sample_fini(&r.s);
    memdocs_fini(&r.m);
}

static void pieces_start_words_by_the_scripts_rule(void **state)
{
    (void)state;
    static const struct {
        const char *piece;
        bool starts;
    } want[] = {
        { "\xe2\x96\x81the", true },
        { "ing", false },
        { "ING", false },
        { "<unk>", true },
        { ",", true },
        { ",a", false },
        { "'s", true },
        { "12", true },
        { "\xc3\xa9t", true },
        { "\xe2\x84\xaa", false },
        { "a\xe2\x96\x81", true },
        { "", false },
        { "--", false },
        { "=", true },
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct tsl_slice s = { (const uint8_t *)want[i].piece, strlen(want[i].piece) };
        assert_int_equal(tsl_compat_albert_is_start(s), want[i].starts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(instances_are_those_of_the_script),
        TEST(pieces_start_words_by_the_scripts_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
