#include "support/test.h"

#include <string.h>

#include "support/fault.h"
#include "support/gendata.h"
#include "text/wordcache.h"

static struct tsl_wordkey key_of(const char *word)
{
    uint8_t bytes[16];
    memset(bytes, 0xaa, sizeof bytes); /* what follows a word does not matter */
    memcpy(bytes, word, strlen(word));
    return tsl_wordkey_make(bytes, strlen(word));
}

static void a_key_is_the_word_and_its_length(void **state)
{
    static const char *const words[] = {
        "a", "b", "aa", "ab", "abcdefg", "abcdefgh", "abcdefghi", "abcdefghijklmno"
    };
    enum { N = sizeof words / sizeof *words };
    (void)state;
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            struct tsl_wordkey a = key_of(words[i]), b = key_of(words[j]);
            assert_true((a.lo == b.lo && a.hi == b.hi) == (i == j));
        }
    /* nor may a NUL in a word be taken for its end */
    uint8_t with_nul[16] = { 'a', 0, 'b' };
    struct tsl_wordkey a = tsl_wordkey_make(with_nul, 1),
                       b = tsl_wordkey_make(with_nul, 2);
    assert_true(a.lo == b.lo && a.hi != b.hi);
}

/* Word number i, its ids a function of i. */
static struct tsl_wordkey number(uint64_t i)
{
    uint8_t bytes[16] = { 0 };
    memcpy(bytes, &i, sizeof i);
    return tsl_wordkey_make(bytes, 8);
}

static size_t ids_of(uint64_t i, uint32_t *ids)
{
    size_t n = (size_t)(i * 7 % 13);
    for (size_t k = 0; k < n; k++)
        ids[k] = (uint32_t)(i * 31 + k);
    return n;
}

static void what_is_found_is_what_was_put_however_many_there_are(void **state)
{
    static const size_t memory[] = { 1 << 20, 4 << 20, 64 << 20 };
    (void)state;
    for (size_t m = 0; m < sizeof memory / sizeof *memory; m++) {
        struct tsl_err err = { 0 };
        struct tsl_wordcache c;
        assert_ok(tsl_wordcache_init(&c, memory[m], &err), &err);
        assert_true(c.pages_bytes <= memory[m]);
        size_t found = 0, asked = 0;
        for (uint64_t i = 0; i < 200000; i++) {
            uint32_t ids[16];
            struct tsl_wordkey k = number(i);
            size_t n = ids_of(i, ids);
            assert_null(tsl_wordcache_find(&c, k, tsl_wordkey_hash(k)));
            tsl_wordcache_put(&c, k, tsl_wordkey_hash(k), ids, n, i & 1);
            for (uint64_t back = 1; back <= 4096 && back <= i; back *= 16, asked++) {
                k = number(i - back);
                const struct tsl_wordslot *s =
                    tsl_wordcache_find(&c, k, tsl_wordkey_hash(k));
                if (!s)
                    continue;
                found++;
                assert_int_equal(s->n, ids_of(i - back, ids));
                assert_int_equal(s->flags, (i - back) & 1);
                if (s->n)
                    assert_memory_equal(tsl_wordcache_ids(&c, s), ids,
                                        s->n * sizeof *ids);
            }
        }
        assert_true(found > asked / 2);
        tsl_wordcache_clear(&c);
        for (uint64_t i = 0; i < 200000; i++) {
            struct tsl_wordkey k = number(i);
            assert_null(tsl_wordcache_find(&c, k, tsl_wordkey_hash(k)));
        }
        tsl_wordcache_fini(&c);
    }
}

static void growing_loses_few_words(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_wordcache c;
    enum { WORDS = 100000 };
    size_t found = 0;
    (void)state;
    assert_ok(tsl_wordcache_init(&c, 64 << 20, &err), &err);
    uint64_t mask = c.mask;
    for (uint64_t i = 0; i < WORDS; i++) {
        uint32_t id = (uint32_t)i;
        tsl_wordcache_put(&c, number(i), tsl_wordkey_hash(number(i)), &id, 1, 0);
    }
    assert_true(c.mask > mask);
    for (uint64_t i = 0; i < WORDS; i++) {
        const struct tsl_wordslot *s =
            tsl_wordcache_find(&c, number(i), tsl_wordkey_hash(number(i)));
        found += s && s->n == 1 && s->ids[0] == i;
    }
    assert_true(found > WORDS * 0.95);
    tsl_wordcache_fini(&c);
}

static void no_memory_is_reported(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_wordcache c;
    (void)state;
    fault_arm(1, "mmap");
    int rc = tsl_wordcache_init(&c, 4 << 20, &err);
    assert_non_null(fault_disarm());
    assert_err(rc, TSL_ENOMEM, &err, "the word cache");
    tsl_wordcache_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_is_the_word_and_its_length),
        TEST(what_is_found_is_what_was_put_however_many_there_are),
        TEST(growing_loses_few_words),
        TEST(no_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
