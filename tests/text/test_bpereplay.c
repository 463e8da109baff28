/* Merges done again, against one merge after the other. */
#include <stdlib.h>
#include <string.h>

#include "support/randtext.h"
#include "support/test.h"
#include "text/bpereplay.h"

enum { LEN = 300, MERGES = 60 };

static size_t replace(uint32_t *s, size_t n, uint32_t left, uint32_t right, uint32_t id)
{
    size_t out = 0;
    for (size_t i = 0; i < n; out++) {
        bool hit = i + 1 < n && s[i] == left && s[i + 1] == right;
        s[out] = hit ? id : s[i];
        i += hit ? 2 : 1;
    }
    return out;
}

/* Ids come again, and pairs too. */
static void words_end_as_one_merge_after_the_other_leaves_them(void **state)
{
    (void)state;
    struct rnd r = rnd_make(1, "replay");
    struct tsl_bpereplay_scratch scratch = { 0 };
    struct tsl_bpereplay log = { 0 };
    for (int i = 0; i < 2000; i++) {
        struct tsl_err err = { 0 };
        uint32_t a[LEN], b[LEN];
        size_t n = rnd_below(&r, i % 2 ? LEN : 20), m = n;
        uint32_t letters = 1 + (uint32_t)rnd_below(&r, 4), ids = letters;
        tsl_bpereplay_clear(&log);
        for (size_t k = 0; k < n; k++)
            a[k] = b[k] = (uint32_t)rnd_below(&r, letters);
        for (size_t k = rnd_below(&r, MERGES); k > 0; k--) {
            uint32_t left = (uint32_t)rnd_below(&r, ids);
            uint32_t right = (uint32_t)rnd_below(&r, ids);
            uint32_t id = rnd_below(&r, 4) ? ids++ : (uint32_t)rnd_below(&r, ids);
            assert_ok(tsl_bpereplay_add(&log, left, right, id, &err), &err);
            m = replace(b, m, left, right, id);
        }
        assert_ok(tsl_bpereplay_apply(&log, &scratch, a, &n, &err), &err);
        assert_int_equal(n, m);
        assert_memory_equal(a, b, n * sizeof *a);
    }
    tsl_bpereplay_fini(&log);
    tsl_bpereplay_scratch_fini(&scratch);
}

static void a_long_word_takes_little_time(void **state)
{
    (void)state;
    enum { LONG = 1 << 20 };
    struct tsl_err err = { 0 };
    struct tsl_bpereplay_scratch scratch = { 0 };
    struct tsl_bpereplay log = { 0 };
    uint32_t *a = calloc(LONG, sizeof *a);
    size_t n = LONG;
    assert_non_null(a);
    for (uint32_t id = 0; id < 20; id++)
        assert_ok(tsl_bpereplay_add(&log, id, id, id + 1, &err), &err);
    assert_ok(tsl_bpereplay_apply(&log, &scratch, a, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_int_equal(a[0], 20);
    tsl_bpereplay_fini(&log);
    tsl_bpereplay_scratch_fini(&scratch);
    free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_end_as_one_merge_after_the_other_leaves_them),
        TEST(a_long_word_takes_little_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
