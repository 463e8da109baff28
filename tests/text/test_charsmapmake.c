#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/fault.h"
#include "support/gendata.h"
#include "text/charsmap.h"
#include "text/charsmapmake.h"

enum { RULES = 400, KEY = 8 };

struct keys {
    struct tsl_charsmapmake_rule rules[RULES];
    uint8_t bytes[RULES][KEY];
    size_t n;
};

static int by_key(const void *a, const void *b)
{
    const struct tsl_charsmapmake_rule *x = a, *y = b;
    size_t n = x->from.len < y->from.len ? x->from.len : y->from.len;
    int c = memcmp(x->from.data, y->from.data, n);
    return c ? c : (x->from.len > y->from.len) - (x->from.len < y->from.len);
}

static const char pool_text[] = "one\0two\0three\0\0x";
static const struct tsl_slice pool = { (const uint8_t *)pool_text, sizeof pool_text };
static const uint32_t places[] = { 0, 4, 8, 14, 15 };

/* Keys over a few bytes, or all, so that there are prefixes and tails that are alike. */
static void random_keys(struct keys *k, struct gen *g)
{
    size_t n = gen_below(g, RULES), nbytes = gen_below(g, 2) ? 3 : 255;
    for (size_t i = 0; i < n; i++) {
        size_t len = 1 + gen_below(g, KEY);
        for (size_t j = 0; j < len; j++)
            k->bytes[i][j] = (uint8_t)(1 + gen_below(g, nbytes));
        k->rules[i].from = (struct tsl_slice){ k->bytes[i], len };
        k->rules[i].to = places[gen_below(g, 5)];
    }
    qsort(k->rules, n, sizeof *k->rules, by_key);
    k->n = 0;
    for (size_t i = 0; i < n; i++)
        if (k->n == 0 || by_key(&k->rules[i], &k->rules[k->n - 1]) != 0)
            k->rules[k->n++] = k->rules[i];
}

/* The longest rule at text, by looking at each. */
static const struct tsl_charsmapmake_rule *longest(const struct keys *k,
                                                   const uint8_t *text, size_t len)
{
    const struct tsl_charsmapmake_rule *best = NULL;
    for (size_t i = 0; i < k->n; i++) {
        struct tsl_slice from = k->rules[i].from;
        if (from.len <= len && memcmp(from.data, text, from.len) == 0 &&
            (!best || from.len > best->from.len))
            best = &k->rules[i];
    }
    return best;
}

static void the_longest_rule_is_found_and_no_other(void **state)
{
    struct gen g = { 3 };
    static struct keys k;
    (void)state;
    for (int round = 0; round < 150; round++) {
        struct tsl_err err = { 0 };
        struct tsl_charsmap m;
        uint8_t *blob;
        size_t n;
        random_keys(&k, &g);
        assert_ok(tsl_charsmapmake_build(&blob, &n, k.rules, k.n, pool, &err), &err);
        assert_ok(tsl_charsmap_open(&m, (struct tsl_slice){ blob, n }, &err), &err);
        assert_int_equal(m.nunits % 256, 0);
        for (int i = 0; i < 300; i++) {
            uint8_t text[KEY + 2];
            size_t used = 0, len = 1 + gen_below(&g, sizeof text);
            gen_bytes(&g, text, sizeof text); /* NUL, too */
            if (k.n && i % 3) {
                struct tsl_slice from = k.rules[gen_below(&g, k.n)].from;
                memcpy(text, from.data, from.len);
            }
            const struct tsl_charsmapmake_rule *want = longest(&k, text, len);
            struct tsl_slice to;
            assert_int_equal(tsl_charsmap_match(&m, text, len, &used, &to), want != NULL);
            if (want) {
                assert_int_equal(used, want->from.len);
                assert_string_equal((const char *)to.data, pool_text + want->to);
            }
        }
        tsl_mem_free(blob);
    }
}

static void tails_that_are_alike_are_stored_once(void **state)
{
    (void)state;
    static struct keys k;
    struct tsl_err err = { 0 };
    uint8_t *blob;
    size_t n;
    for (unsigned i = 0; i < RULES; i++) {
        uint8_t *p = k.bytes[i];
        p[0] = (uint8_t)(1 + i / 20);
        p[1] = (uint8_t)(1 + i % 20);
        memcpy(p + 2, "tail", 4);
        k.rules[i] = (struct tsl_charsmapmake_rule){ { p, 6 }, 4 };
    }
    assert_ok(tsl_charsmapmake_build(&blob, &n, k.rules, RULES, pool, &err), &err);
    assert_true(n <= 4 + 4 * 256 + pool.len); /* the units of one block */
    tsl_mem_free(blob);
}

static void without_memory_it_says_so(void **state)
{
    struct gen g = { 5 };
    static struct keys k;
    (void)state;
    while (k.n < 300)
        random_keys(&k, &g);
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        uint8_t *blob = NULL;
        size_t n;
        fault_arm(nth, NULL);
        int rc = tsl_charsmapmake_build(&blob, &n, k.rules, k.n, pool, &err);
        if (!fault_disarm()) {
            assert_ok(rc, &err);
            tsl_mem_free(blob);
            break;
        }
        assert_err(rc, TSL_ENOMEM, &err, "memory");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_longest_rule_is_found_and_no_other),
        TEST(tails_that_are_alike_are_stored_once),
        TEST(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
