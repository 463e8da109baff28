#include "support/test.h"

#include "optim/paramgroup.h"

static void globs_match_whole_names(void **state)
{
    static const struct {
        const char *pattern, *name;
        bool yes;
    } cases[] = {
        { "*", "", true },
        { "*", "a.b", true },
        { "", "", true },
        { "", "a", false },
        { "a", "ab", false },
        { "b", "ab", false },
        { "a?", "ab", true },
        { "a?", "a", false },
        { "*.bias", "x.bias", true },
        { "*.bias", "x.bias.y", false },
        { "*bias*", "x.bias.y", true },
        { "*LayerNorm*,*.bias", "e.LayerNorm.weight", true },
        { "*LayerNorm*,*.bias", "e.dense.bias", true },
        { "*LayerNorm*,*.bias", "e.dense.weight", false },
        { "*layernorm*", "e.LayerNorm.weight", false },
        { "*a*b*a", "xaybxbaba", true },
        { "*a*b*c", "xaybxbaba", false },
        { "a*b*", "ab", true },
        { "**b", "aab", true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (tsl_paramgroup_match(cases[i].pattern, cases[i].name) != cases[i].yes)
            fail_msg("%s and %s", cases[i].pattern, cases[i].name);
}

static void the_first_group_that_matches_counts(void **state)
{
    struct tsl_paramgroup g[] = { { .pattern = "*.crf" }, { .pattern = "a*" } };
    struct tsl_param a = { .name = (char[]){ "a.crf" } },
                     b = { .name = (char[]){ "ab" } }, c = { .name = (char[]){ "b" } };
    (void)state;
    assert_ptr_equal(tsl_paramgroup_of(g, 2, &a), &g[0]);
    assert_ptr_equal(tsl_paramgroup_of(g, 2, &b), &g[1]);
    assert_null(tsl_paramgroup_of(g, 2, &c));
    assert_null(tsl_paramgroup_of(NULL, 0, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(globs_match_whole_names),
        TEST(the_first_group_that_matches_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
