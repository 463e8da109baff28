#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "support/randtext.h"
#include "support/wordsof.h"
#include "text/uniseed.h"

static int by_key(const void *a, const void *b)
{
    const struct tsl_unikey *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static void check_sort(struct tsl_unikey *k, size_t n)
{
    struct tsl_unikey *want = malloc((n + 1) * sizeof *want);
    assert_non_null(want);
    for (size_t i = 0; i < n; i++)
        want[i] = k[i];
    qsort(want, n, sizeof *want, by_key);
    tsl_unikey_sort(k, n);
    for (size_t i = 0; i < n; i++)
        assert_true(by_key(&k[i], &want[i]) == 0);
    free(want);
}

static void keys_are_sorted_whatever_their_order(void **state)
{
    enum { MAX = 3000 };
    static struct tsl_unikey k[MAX];
    (void)state;
    struct rnd r = rnd_make(1, "keys");
    for (size_t n = 0; n < MAX; n += n < 40 ? 1 : 371)
        for (unsigned kind = 0; kind < 8; kind++) {
            for (size_t i = 0; i < n; i++) {
                const uint64_t keys[] = { i,
                                          n - i,
                                          i < n / 2 ? i : n - i,
                                          7,
                                          rnd_below(&r, 3),
                                          rnd_below(&r, SIZE_MAX),
                                          i % 2 ? i : n - i,
                                          i * 7919 % (n + 1) };
                k[i] =
                    (struct tsl_unikey){ keys[kind], (uint32_t)(kind % 2 ? i : n - i) };
            }
            check_sort(k, n);
        }
}

struct found {
    struct tsl_unimem mem;
    struct tsl_unitext text;
    struct tsl_uniseeds seeds;
    struct tsl_wordlist list;
};

static void look(struct found *f, struct wordsof *w, const struct tsl_unitrain_opts *o)
{
    struct tsl_err err = { 0 };
    struct tsl_pool *pool;
    *f = (struct found){ .mem = { .limit = 1 << 28 }, .list = wordsof_list(w) };
    assert_ok(tsl_pool_create(&pool, o->nthreads, &err), &err);
    assert_ok(tsl_unitext_init(&f->text, &f->list, o, &f->mem, &err), &err);
    assert_ok(tsl_uniseed_find(&f->seeds, &f->text, o, pool, &f->mem, &err), &err);
    tsl_pool_destroy(pool);
}

static void forget(struct found *f)
{
    tsl_uniseed_fini(&f->seeds, &f->text, &f->mem);
    tsl_unitext_fini(&f->text, &f->mem);
    assert_int_equal(f->mem.held, 0);
    tsl_wordlist_fini(&f->list);
}

/* A seed's text; U+2581 is '~'. */
static const char *text_of(const struct found *f, const struct tsl_uniseed *s)
{
    static char text[TSL_UNITRAIN_CHARS_MAX + 1];
    for (size_t i = 0; i < s->len; i++) {
        uint32_t cp = f->text.chars[f->text.syms[s->at + i] - TSL_UNI_FIRST].cp;
        text[i] = cp == 0x2581 ? '~' : (char)cp;
    }
    text[s->len] = 0;
    return text;
}

/* All seeds with their scores, by rank: "a:3 b:2". */
static const char *by_rank(const struct found *f)
{
    static char out[2000];
    char *end = out;
    for (size_t k = 0; k < f->seeds.n; k++)
        for (size_t i = 0; i < f->seeds.n; i++)
            if (f->seeds.seeds[i].rank == k)
                end += snprintf(end, (size_t)(out + sizeof out - end), "%s%s:%u",
                                k ? " " : "", text_of(f, &f->seeds.seeds[i]),
                                (unsigned)f->seeds.seeds[i].score);
    return out;
}

static void a_seed_is_followed_by_more_than_one_thing(void **state)
{
    (void)state;
    struct found f;
    struct wordsof w = { 0 };
    struct tsl_unitrain_opts o = tsl_unitrain_defaults();
    o.whole_words = true;
    wordsof_add_text(&w, "~abc", 2);
    wordsof_add_text(&w, "~abd", 1);
    wordsof_add_text(&w, "~xy", 1);
    look(&f, &w, &o);
    /* What comes at the end of a word is a seed if it comes twice. */
    assert_string_equal(by_rank(&f),
                        "~:4 a:3 b:3 c:2 d:1 x:1 y:1 ~ab:9 ~abc:8 abc:6 ab:6 bc:4");
    forget(&f);

    wordsof_add_text(&w, "~abc", 2);
    wordsof_add_text(&w, "~abd", 1);
    wordsof_add_text(&w, "~xy", 1);
    o.whole_words = false; /* each is followed by U+2581 alone */
    look(&f, &w, &o);
    assert_string_equal(by_rank(&f), "~:4 a:3 b:3 c:2 d:1 x:1 y:1 ~ab:9 ab:6");
    forget(&f);

    wordsof_add_text(&w, "~abc", 1);
    wordsof_add_text(&w, "~abc|", 1);
    wordsof_add_text(&w, "~abd", 1);
    wordsof_add_text(&w, "~xy|", 3);
    o.line_ends = true;
    look(&f, &w, &o);
    assert_string_equal(by_rank(&f),
                        "~:6 a:3 b:3 x:3 y:3 c:2 d:1 ~ab:9 ~abc:8 abc:6 ab:6 bc:4");
    forget(&f);
}

/* Of all pieces that begin at a place, longest and parent lead through just those. */
static void chains_lead_through_all_seeds_of_a_place(void **state)
{
    (void)state;
    struct rnd r = rnd_make(2, "chains");
    for (unsigned round = 0; round < 30; round++) {
        struct found f;
        struct wordsof w = { 0 };
        struct tsl_unitrain_opts o = tsl_unitrain_defaults();
        o.nthreads = 1 + round % 3;
        o.whole_words = round % 4 < 2;
        o.coverage = round % 2 ? 1 : 0.95;
        o.max_piece_chars = 1 + rnd_below(&r, 8);
        o.seed_size = round % 5 ? 1000 : 20;
        for (unsigned i = 0; i < 30; i++) {
            char text[40] = "~";
            size_t n = 1 + rnd_below(&r, 20);
            for (size_t k = 1; k <= n; k++)
                text[k] = (char)('a' + rnd_below(&r, 1 + rnd_below(&r, 5)));
            wordsof_add_text(&w, text, 1 + rnd_below(&r, 4));
        }
        look(&f, &w, &o);
        const struct tsl_uniseed *s = f.seeds.seeds;
        for (uint32_t i = 0; i < f.text.nsyms; i++) {
            size_t n = 0, steps = 0;
            for (size_t k = 0; k < f.seeds.n; k++)
                n += i + s[k].len <= f.text.nsyms &&
                     memcmp(f.text.syms + i, f.text.syms + s[k].at,
                            s[k].len * sizeof(uint32_t)) == 0;
            for (uint32_t id = f.seeds.longest[i]; id != TSL_UNI_NONE;
                 id = s[id].parent) {
                assert_memory_equal(f.text.syms + i, f.text.syms + s[id].at,
                                    s[id].len * sizeof(uint32_t));
                assert_true(s[id].len <= o.max_piece_chars);
                assert_true(s[id].parent == TSL_UNI_NONE ||
                            (s[id].parent < id && s[s[id].parent].len < s[id].len));
                steps++;
            }
            assert_int_equal(steps, n);
            assert_true(n > 0 || f.text.syms[i] < TSL_UNI_FIRST);
        }
        for (size_t i = 1; i < f.seeds.n; i++) { /* sorted, no two alike */
            char before[TSL_UNITRAIN_CHARS_MAX + 1];
            strcpy(before, text_of(&f, &s[i - 1]));
            assert_true(strcmp(before, text_of(&f, &s[i])) < 0);
        }
        forget(&f);
    }
}

static void the_same_letter_over_and_over_is_sorted_soon(void **state)
{
    (void)state;
    struct found f;
    struct wordsof w = { 0 };
    struct tsl_unitrain_opts o = tsl_unitrain_defaults();
    enum { LEN = 200000 };
    uint8_t *text = malloc(LEN);
    assert_non_null(text);
    memset(text, 'a', LEN);
    wordsof_add(&w, text, LEN, 1);
    free(text);
    look(&f, &w, &o);
    assert_int_equal(f.seeds.n, 16);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(f.seeds.seeds[i].score, (LEN - i) * (i + 1));
    forget(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_are_sorted_whatever_their_order),
        TEST(a_seed_is_followed_by_more_than_one_thing),
        TEST(chains_lead_through_all_seeds_of_a_place),
        TEST(the_same_letter_over_and_over_is_sorted_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
