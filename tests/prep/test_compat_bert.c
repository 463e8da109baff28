#include "support/test.h"

#include "prep/compat_bert.h"
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
}

/* tests/cli/cmask has all settings; these two show where a difference comes from. */
static void instances_are_those_of_the_script(void **state)
{
    (void)state;
    for (unsigned words = 0; words < 2; words++) {
        struct tsl_err err = { 0 };
        struct run r = { 0 };
        struct tsl_compat_pair_opts o = tsl_compat_bert_defaults();
        o.special = instances_special();
        o.dupes = words ? 2 : 5;
        o.whole_words = words;
        instances_docs(&r.m);
        assert_ok(tsl_sample_init(&r.s, 128, &err), &err);
        assert_ok(tsl_compat_bert_create(&r.c, &o, &r.m.docs, &err), &err);
        size_t n = fixture_each(words ? "formats/bert-instances/seq128-dupe2-wwm.jsonl"
                                      : "formats/bert-instances/seq128-dupe5.jsonl",
                                same_row, &r);
        assert_int_equal(n, tsl_compat_pair_count(r.c));
        assert_int_equal(n, words ? 29 : 60);
        tsl_compat_pair_destroy(r.c);
        tsl_sample_fini(&r.s);
        memdocs_fini(&r.m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(instances_are_those_of_the_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
