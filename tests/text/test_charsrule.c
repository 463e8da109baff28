#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "support/fault.h"
#include "support/fixture.h"
#include "text/charsmap.h"
#include "text/charsrule.h"
#include "text/tokfile_spm.h"

/* Each key of map a has the same replacement in b.  Returns how many keys a has. */
struct walk {
    const struct tsl_charsmap *a, *b;
    size_t n;
    uint8_t key[64];
};

static uint32_t unit_at(const struct tsl_charsmap *m, size_t at)
{
    assert_true(at < m->nunits);
    return tsl_load32(m->units + 4 * at);
}

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 0x200) >> 6);
}

static void walk_from(struct walk *w, size_t base, size_t depth)
{
    for (unsigned c = 1; c < 256; c++) {
        uint32_t unit = unit_at(w->a, base ^ c);
        struct tsl_slice x, y;
        size_t n, k;
        if ((unit & 0x800000ff) != c)
            continue;
        assert_true(depth < sizeof w->key);
        w->key[depth] = (uint8_t)c;
        if (unit & 0x100) {
            w->n++;
            assert_true(tsl_charsmap_match(w->a, w->key, depth + 1, &n, &x));
            assert_true(tsl_charsmap_match(w->b, w->key, depth + 1, &k, &y));
            assert_int_equal(n, depth + 1);
            assert_int_equal(k, depth + 1);
            assert_int_equal(x.len, y.len);
            assert_memory_equal(x.data, y.data, x.len);
        }
        walk_from(w, base ^ c ^ offset_of(unit), depth + 1);
    }
}

static size_t count_alike(const struct tsl_charsmap *a, const struct tsl_charsmap *b)
{
    struct walk w = { .a = a, .b = b };
    walk_from(&w, offset_of(unit_at(a, 0)), 0);
    return w.n;
}

/* Both have the same keys, all with the same replacements. */
static void assert_is_that_of(enum tsl_charsrule rule, const char *path, size_t want)
{
    struct tsl_tokfile_spm *model;
    struct tsl_charsmap ours, theirs;
    struct tsl_err err = { 0 };
    uint8_t *blob;
    size_t n;
    uint8_t *file = fixture_get(path, &n);
    struct tsl_slice bytes = { file, n };
    assert_ok(tsl_tokfile_spm_read(&model, bytes, "a model", &err), &err);
    assert_ok(tsl_charsmap_open(&theirs, model->options.normalizer.charsmap, &err), &err);
    struct tsl_slice name = tsl_charsrule_name(rule);
    assert_int_equal(name.len, model->options.normalizer.name.len);
    assert_memory_equal(name.data, model->options.normalizer.name.data, name.len);
    assert_ok(tsl_charsrule_map(rule, &blob, &n, &err), &err);
    assert_ok(tsl_charsmap_open(&ours, (struct tsl_slice){ blob, n }, &err), &err);
    assert_int_equal(count_alike(&theirs, &ours), want);
    assert_int_equal(count_alike(&ours, &theirs), want);
    tsl_mem_free(blob);
    tsl_tokfile_spm_destroy(model);
    free(file);
}

static void nmt_nfkc_is_sentencepiece_s_in_every_rule(void **state)
{
    (void)state;
    assert_is_that_of(TSL_CHARSRULE_NMT_NFKC,
                      "tokenizers/own-sp-bpe-nodummy-4k/own-sp-bpe-nodummy-4k.model",
                      224725);
}

static void so_is_nmt_nfkc_cf(void **state)
{
    (void)state;
    assert_is_that_of(TSL_CHARSRULE_NMT_NFKC_CF,
                      "tokenizers/own-sp-uni-bf-4k/own-sp-uni-bf-4k.model", 226038);
}

/* The longest rule for text, and what it makes: "" for none. */
static void assert_becomes(const struct tsl_charsmap *m, const char *text, size_t used,
                           const char *to)
{
    struct tsl_slice got = { NULL, 0 };
    size_t n = 0;
    bool found = tsl_charsmap_match(m, (const uint8_t *)text, strlen(text), &n, &got);
    assert_int_equal(found, used > 0);
    assert_int_equal(n, used);
    assert_int_equal(got.len, strlen(to));
    assert_memory_equal(got.data ? got.data : (const uint8_t *)"", to, got.len);
}

/* sp-unigram-en-1k has the same name, but the rules of an older Unicode. */
static void nfkc_is_nmt_nfkc_without_what_nmt_adds(void **state)
{
    (void)state;
    struct tsl_charsmap m;
    struct tsl_err err = { 0 };
    uint8_t *blob;
    size_t n;
    assert_ok(tsl_charsrule_map(TSL_CHARSRULE_NFKC, &blob, &n, &err), &err);
    assert_ok(tsl_charsmap_open(&m, (struct tsl_slice){ blob, n }, &err), &err);
    assert_becomes(&m, "\t", 0, "");
    assert_becomes(&m, "\xe2\x96\x81", 0, "");                 /* U+2581 */
    assert_becomes(&m, "\xef\xbd\x9e", 3, "~");                /* U+FF5E */
    assert_becomes(&m, "\xe2\x80\xa8", 0, "");                 /* U+2028 */
    assert_becomes(&m, "e\xcc\x81", 3, "\xc3\xa9");            /* e and an accent */
    assert_becomes(&m, "\xef\xbd\x85\xcc\x81", 5, "\xc3\xa9"); /* the same, full width */
    assert_becomes(&m, "\xef\xac\x81", 3, "fi");
    assert_becomes(&m, "A", 0, "");
    tsl_mem_free(blob);
    assert_ok(tsl_charsrule_map(TSL_CHARSRULE_NFKC_CF, &blob, &n, &err), &err);
    assert_ok(tsl_charsmap_open(&m, (struct tsl_slice){ blob, n }, &err), &err);
    assert_becomes(&m, "A", 1, "a");
    assert_becomes(&m, "E\xcc\x81", 3, "\xc3\xa9");
    assert_becomes(&m, "\xc3\x9f", 0, ""); /* sharp s: simple folding leaves it */
    assert_becomes(&m, "\n", 0, "");
    tsl_mem_free(blob);
}

static void identity_has_no_map(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    uint8_t *blob;
    size_t n = 1;
    assert_ok(tsl_charsrule_map(TSL_CHARSRULE_IDENTITY, &blob, &n, &err), &err);
    assert_true(!blob && n == 0);
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth += nth < 4 ? 1 : nth) {
        struct tsl_err err = { 0 };
        uint8_t *blob = NULL;
        size_t n;
        fault_arm(nth, NULL);
        int rc = tsl_charsrule_map(TSL_CHARSRULE_NMT_NFKC_CF, &blob, &n, &err);
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
        TEST(nmt_nfkc_is_sentencepiece_s_in_every_rule),
        TEST(so_is_nmt_nfkc_cf),
        TEST(nfkc_is_nmt_nfkc_without_what_nmt_adds),
        TEST(identity_has_no_map),
        TEST(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
