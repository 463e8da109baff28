#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "support/randtext.h"
#include "text/wordblock.h"

enum { CAP = 128 << 10, WORDS = 4000 };

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void a_block_gives_back_what_went_in(void **state)
{
    struct rnd r = rnd_make(1, "words");
    char **words = calloc(WORDS, sizeof *words);
    uint8_t *block = malloc(CAP), *last = malloc(TSL_WORDBLOCK_WORD_MAX),
            *word = malloc(TSL_WORDBLOCK_WORD_MAX);
    struct tsl_err err = { 0 };
    (void)state;
    for (int i = 0; i < WORDS; i++) {
        words[i] = calloc(1, 12 * RND_CHAR_BYTES + 2);
        do
            rnd_text(&r, words[i], 12, RND_CHARS);
        while (!*words[i]);
    }
    qsort(words, WORDS, sizeof *words, by_bytes);
    struct tsl_wordblock_writer w = { .last = last };
    struct tsl_wordblock_reader in = { .word = word, .word_max = TSL_WORDBLOCK_WORD_MAX };
    tsl_wordblock_begin(&w, block, CAP);
    uint32_t n = 0;
    for (int i = 0; i < WORDS; i++)
        if (i == 0 || strcmp(words[i], words[i - 1]) != 0) {
            uint64_t count = i % 3 == 0 ? UINT64_MAX - (uint64_t)i : (uint64_t)i + 1;
            assert_true(tsl_wordblock_put(&w, str(words[i]), count));
            n++;
        }
    assert_int_equal(w.nwords, n);
    tsl_wordblock_open(&in, block, w.len, n);
    for (int i = 0; i < WORDS; i++)
        if (i == 0 || strcmp(words[i], words[i - 1]) != 0) {
            uint64_t count = i % 3 == 0 ? UINT64_MAX - (uint64_t)i : (uint64_t)i + 1;
            assert_int_equal(tsl_wordblock_next(&in, &err), 1);
            assert_int_equal(in.len, strlen(words[i]));
            assert_memory_equal(in.word, words[i], in.len);
            assert_true(in.count == count);
        }
    assert_int_equal(tsl_wordblock_next(&in, &err), 0);
    for (int i = 0; i < WORDS; i++)
        free(words[i]);
    free(words);
    free(block);
    free(last);
    free(word);
}

static void a_full_block_takes_no_more(void **state)
{
    uint8_t *block = malloc(CAP), *last = malloc(TSL_WORDBLOCK_WORD_MAX),
            *word = malloc(TSL_WORDBLOCK_WORD_MAX);
    struct tsl_wordblock_writer w = { .last = last };
    struct tsl_wordblock_reader in = { .word = last, .word_max = TSL_WORDBLOCK_WORD_MAX };
    struct tsl_err err = { 0 };
    (void)state;
    memset(word, 'a', TSL_WORDBLOCK_WORD_MAX);
    struct tsl_slice s = { word, TSL_WORDBLOCK_WORD_MAX };
    tsl_wordblock_begin(&w, block, TSL_WORDBLOCK_RECORD_MAX + 1);
    assert_true(tsl_wordblock_put(&w, s, UINT64_MAX));
    word[0] = 'b';
    assert_false(tsl_wordblock_put(&w, s, 1));
    assert_true(w.len <= TSL_WORDBLOCK_RECORD_MAX);
    memset(last, 0, 1);
    tsl_wordblock_open(&in, block, w.len, w.nwords);
    assert_int_equal(tsl_wordblock_next(&in, &err), 1);
    assert_int_equal(in.len, TSL_WORDBLOCK_WORD_MAX);
    assert_true(in.count == UINT64_MAX);
    free(block);
    free(last);
    free(word);
}

static void what_no_writer_writes_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        uint32_t n;
        const char *why;
    } bad[] = {
        { "\0\1a\1", 4, 0, "bytes behind" },
        { "\0\1a\1x", 5, 1, "bytes behind" },
        { "\0\2a", 3, 1, "cut short" },
        { "\0\1", 2, 1, "cut short" },
        { "", 0, 1, "cut short" },
        { "\x80", 1, 1, "cut short" },
        { "\x80\0\1a\1", 5, 1, "cut short" }, /* a number with leading zeros */
        { "\1\1a\1", 4, 1, "shares more" },
        { "\0\1a\1\2\1b\1", 8, 2, "shares more" },
        { "\0\0\1", 3, 1, "no bytes" },
        { "\0\7abcdefg\1", 10, 1, "too long" },
        { "\0\1a\0", 4, 1, "count" },
        { "\0\1a\1\0\1a\1", 8, 2, "order" },
        { "\0\1b\1\0\1a\1", 8, 2, "order" },
        { "\0\2ab\1\0\1a\1", 9, 2, "order" },
        { "\0\1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\2", 13, 1, "count" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t word[6] = { 0 };
        struct tsl_wordblock_reader in = { .word = word, .word_max = sizeof word };
        struct tsl_err err = { 0 };
        int rc;
        uint8_t *p = malloc(bad[i].len + 1); /* so that a sanitizer sees where it ends */
        memcpy(p, bad[i].bytes, bad[i].len);
        tsl_wordblock_open(&in, p, bad[i].len, bad[i].n);
        while ((rc = tsl_wordblock_next(&in, &err)) == 1)
            ;
        assert_err(rc, TSL_EFORMAT, &err, bad[i].why);
        free(p);
    }
}

static void any_bytes_are_read_or_refused(void **state)
{
    struct rnd r = rnd_make(2, "bytes");
    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint8_t word[64], p[40];
        size_t n = rnd_below(&r, sizeof p + 1);
        struct tsl_wordblock_reader in = { .word = word, .word_max = sizeof word };
        struct tsl_err err = { 0 };
        for (size_t i = 0; i < n; i++)
            p[i] = (uint8_t)rnd_below(&r, rnd_once(&r, 8) ? 256 : 4);
        tsl_wordblock_open(&in, p, n, (uint32_t)rnd_below(&r, 8));
        while (tsl_wordblock_next(&in, &err) == 1)
            assert_true(in.len > 0 && in.len <= sizeof word && in.count > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_block_gives_back_what_went_in),
        TEST(a_full_block_takes_no_more),
        TEST(what_no_writer_writes_is_refused),
        TEST(any_bytes_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
