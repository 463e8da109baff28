#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/fixture.h"
#include "text/uniprop.h"

enum { LAST = 0x10ffff };

/* Calls each for each line of a table: FIRST or FIRST..LAST, and the rest. */
static void each_line(const char *name,
                      void (*each)(uint32_t first, uint32_t last, char *rest, void *ctx),
                      void *ctx)
{
    char path[128];
    size_t n;
    snprintf(path, sizeof path, "tokenizers/unicode-tables/%s", name);
    uint8_t *data = fixture_get(path, &n);
    char *save = NULL;
    for (char *line = strtok_r((char *)data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        char *rest;
        if (*line == '#')
            continue;
        uint32_t first = (uint32_t)strtoul(line, &rest, 16), last = first;
        if (rest[0] == '.' && rest[1] == '.')
            last = (uint32_t)strtoul(rest + 2, &rest, 16);
        each(first, last, rest, ctx);
    }
    free(data);
}

static void mark(uint32_t first, uint32_t last, char *rest, void *ctx)
{
    uint8_t *members = ctx;
    (void)rest;
    memset(members + first, 1, last - first + 1);
}

static const struct {
    const char *table;
    uint32_t bit;
} tables[] = {
    { "onig_L.txt", TSL_UNI_L },
    { "onig_N.txt", TSL_UNI_N },
    { "onig_M.txt", TSL_UNI_M },
    { "onig_P.txt", TSL_UNI_P },
    { "onig_S.txt", TSL_UNI_S },
    { "onig_s.txt", TSL_UNI_SPACE },
    { "rust_s.txt", TSL_UNI_SPACE },
    { "rust_w.txt", TSL_UNI_WORD },
    { "digits_numeric.txt", TSL_UNI_NUMERIC },
    { "white_space.txt", TSL_UNI_WHITE },
    { "bert_clean_removed.txt", TSL_UNI_BERT_DROP },
    { "bert_clean_space.txt", TSL_UNI_BERT_SPACE },
    { "bert_punct.txt", TSL_UNI_BERT_PUNCT },
    { "bert_cjk.txt", TSL_UNI_BERT_CJK },
    { "bert_strip_removed.txt", TSL_UNI_BERT_MARK },
    { "stripaccents_removed.txt", TSL_UNI_MARK },
    { "onig_Ll.txt", TSL_UNI_LL },
    { "onig_Lu.txt", TSL_UNI_LU },
    { "nmt_removed.txt", TSL_UNI_NMT_DROP },
    { "nmt_space.txt", TSL_UNI_NMT_SPACE },
    { "nonzero_class.txt", TSL_UNI_CLASS },
    { "grapheme_extend.txt", TSL_UNI_EXTEND },
    { "grapheme_prepend.txt", TSL_UNI_PREPEND },
    { "grapheme_control.txt", TSL_UNI_CONTROL },
    { "grapheme_pictographic.txt", TSL_UNI_PICTURE },
};

static void each_bit_is_the_peers_table(void **state)
{
    uint8_t *members = malloc(LAST + 1);
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        memset(members, 0, LAST + 1);
        each_line(tables[i].table, mark, members);
        for (uint32_t cp = 0; cp <= LAST; cp++)
            if (((tsl_uniprop(cp) & tables[i].bit) != 0) != members[cp])
                fail_msg("%s: U+%04X", tables[i].table, cp);
    }
    free(members);
}

static void the_two_cases_of_o200k_are_unions(void **state)
{
    static const char *const upper[] = { "onig_Lu.txt", "onig_Lt.txt" };
    static const char *const lower[] = { "onig_Ll.txt" };
    static const char *const both[] = { "onig_Lm.txt", "onig_Lo.txt", "onig_M.txt" };
    uint8_t *up = calloc(LAST + 1, 1), *low = calloc(LAST + 1, 1);
    (void)state;
    for (size_t i = 0; i < 2; i++)
        each_line(upper[i], mark, up);
    each_line(lower[0], mark, low);
    for (size_t i = 0; i < 3; i++) {
        each_line(both[i], mark, up);
        each_line(both[i], mark, low);
    }
    for (uint32_t cp = 0; cp <= LAST; cp++) {
        assert_int_equal((tsl_uniprop(cp) & TSL_UNI_UPPER) != 0, up[cp]);
        assert_int_equal((tsl_uniprop(cp) & TSL_UNI_LOWER) != 0, low[cp]);
    }
    free(up);
    free(low);
}

struct map {
    size_t (*of)(uint32_t cp, uint32_t out[3]);
    uint8_t *seen;
};

static void compare(uint32_t first, uint32_t last, char *rest, void *ctx)
{
    struct map *m = ctx;
    uint32_t out[3];
    size_t n = m->of(first, out);
    (void)last;
    for (size_t i = 0; i < n; i++)
        assert_int_equal(out[i], strtoul(rest, &rest, 16));
    assert_int_equal(*rest, '\0');
    m->seen[first] = 1;
}

static void lower_case_is_the_peers(void **state)
{
    struct map m = { tsl_uni_lower, calloc(LAST + 1, 1) };
    uint32_t out[3];
    (void)state;
    each_line("lowercase_map.tsv", compare, &m);
    for (uint32_t cp = 0; cp <= LAST; cp++)
        if (!m.seen[cp]) {
            assert_int_equal(tsl_uni_lower(cp, out), 1);
            assert_int_equal(out[0], cp);
        }
    free(m.seen);
}

static void stripped_accents_are_the_peers(void **state)
{
    struct map m = { tsl_uni_bert_strip, calloc(LAST + 1, 1) };
    uint32_t out[TSL_UNI_STRIP_MAX];
    (void)state;
    each_line("bert_strip_map.tsv", compare, &m);
    for (uint32_t cp = 0; cp <= LAST; cp++) {
        size_t n = tsl_uni_bert_strip(cp, out);
        if (m.seen[cp] || (cp >= 0xac00 && cp <= 0xd7a3))
            continue;
        if (tsl_uniprop(cp) & TSL_UNI_BERT_MARK) {
            assert_int_equal(n, 0);
        } else {
            assert_int_equal(n, 1);
            assert_int_equal(out[0], cp);
        }
    }
    free(m.seen);
}

static void a_hangul_syllable_falls_into_two_or_three_jamo(void **state)
{
    uint32_t out[TSL_UNI_STRIP_MAX];
    (void)state;
    assert_int_equal(tsl_uni_bert_strip(0xac00, out), 2);
    assert_int_equal(out[0], 0x1100);
    assert_int_equal(out[1], 0x1161);
    assert_int_equal(tsl_uni_bert_strip(0xd7a3, out), 3);
    assert_int_equal(out[0], 0x1112);
    assert_int_equal(out[1], 0x1175);
    assert_int_equal(out[2], 0x11c2);
}

static void note_script(uint32_t first, uint32_t last, char *rest, void *ctx)
{
    uint8_t *scripts = ctx;
    memset(scripts + first, (int)strtoul(rest, NULL, 10), last - first + 1);
}

static void scripts_are_the_peers(void **state)
{
    uint8_t *scripts = calloc(LAST + 1, 1);
    (void)state;
    each_line("unicode_scripts.tsv", note_script, scripts);
    for (uint32_t cp = 0; cp <= LAST; cp++)
        assert_int_equal(tsl_uni_script(cp), scripts[cp]);
    assert_int_equal(tsl_uni_script(0x3042), tsl_uni_script(0x6f22)); /* Hiragana, Han */
    assert_int_not_equal(tsl_uni_script('a'), tsl_uni_script(0x3b1));
    free(scripts);
}

static void nothing_is_known_beyond_unicode(void **state)
{
    (void)state;
    assert_int_equal(tsl_uniprop(0x110000), 0);
    assert_int_equal(tsl_uniprop(UINT32_MAX), 0);
    assert_int_equal(tsl_uniprop(0xd800), 0);
    assert_int_equal(tsl_uni_script(0x110000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_bit_is_the_peers_table),
        TEST(the_two_cases_of_o200k_are_unions),
        TEST(lower_case_is_the_peers),
        TEST(stripped_accents_are_the_peers),
        TEST(a_hangul_syllable_falls_into_two_or_three_jamo),
        TEST(scripts_are_the_peers),
        TEST(nothing_is_known_beyond_unicode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
