/* Each kind of cut against the obvious way: normalise the whole text, then split it. */
#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "support/fault.h"
#include "support/randtext.h"
#include "text/spmnorm.h"
#include "text/wordcut.h"

/* Words, each behind its length. */
struct words {
    uint8_t *p;
    size_t len, cap, n;
};

static void words_add(struct words *w, const void *p, size_t n)
{
    if (n > 65536) /* left out */
        return;
    if (w->len + n + 8 > w->cap) {
        w->cap = 2 * (w->len + n + 8);
        w->p = realloc(w->p, w->cap);
        assert_non_null(w->p);
    }
    uint64_t len = n;
    memcpy(w->p + w->len, &len, 8);
    memcpy(w->p + w->len + 8, p, n);
    w->len += n + 8;
    w->n++;
}

static int collect(void *ctx, struct tsl_slice word, struct tsl_err *err)
{
    uint8_t sixteen[16];
    (void)err;
    assert_true(word.len > 0 && word.len <= 65536);
    memcpy(sixteen, word.data, 16); /* may be read, says the contract */
    words_add(ctx, word.data, word.len);
    return 0;
}

static void assert_same_words(const struct words *got, const struct words *want)
{
    size_t n = got->len < want->len ? got->len : want->len;
    if (got->len == want->len && (n == 0 || memcmp(got->p, want->p, n) == 0))
        return;
    size_t at = 0;
    uint64_t a, b;
    for (size_t i = 0;; i++) {
        if (at >= n)
            fail_msg("%zu words, expected %zu", got->n, want->n);
        memcpy(&a, got->p + at, 8);
        memcpy(&b, want->p + at, 8);
        if (a != b || memcmp(got->p + at + 8, want->p + at + 8, a) != 0)
            fail_msg("word %zu is \"%.*s\", expected \"%.*s\"", i, (int)(a < 99 ? a : 99),
                     (char *)got->p + at + 8, (int)(b < 99 ? b : 99),
                     (char *)want->p + at + 8);
        at += 8 + a;
    }
}

/* The words of a text that comes in stretches of up to most bytes more each; 0: whole.  Each
 * stretch lies in memory of its own size. */
static struct tsl_wordcut_counts cut_in(const struct tsl_wordcut *cut,
                                        struct tsl_slice text, size_t most, struct rnd *r,
                                        struct words *out)
{
    struct tsl_wordcut_counts n = { 0 };
    struct tsl_err err = { 0 };
    void *cutter = cut->ops->create(cut->model, &err);
    assert_non_null(cutter);
    size_t at = 0, end = 0;
    bool first = true;
    out->len = out->n = 0;
    do {
        end += most ? rnd_below(r, most) + 1 : text.len;
        end = end < text.len ? end : text.len;
        size_t used = SIZE_MAX;
        uint8_t *copy = malloc(end - at + 16);
        memcpy(copy, text.data + at, end - at);
        memset(copy + (end - at), 'x', 16);
        assert_ok(cut->ops->cut(cutter, (struct tsl_slice){ copy, end - at }, first,
                                end == text.len, &used, collect, out, &err),
                  &err);
        free(copy);
        assert_true(used <= end - at);
        if (end == text.len)
            assert_int_equal(used, end - at);
        at += used;
        first = first && used == 0;
    } while (end < text.len);
    cut->ops->counts(cutter, &n);
    cut->ops->destroy(cutter);
    return n;
}

static const char *const snippets[] = {
    "the",
    "The ",
    "QUICK",
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "don't",
    "123",
    "4567 ",
    ".",
    ", ",
    "--",
    "'",
    ":",
    "\xc3\x89t\xc3\xa9 ",        /* Été */
    "e\xcc\x81",                 /* e and an acute */
    "a\xcc\xa3\xcc\x87 ",        /* marks in order, */
    "a\xcc\x87\xcc\xa3",         /* and not */
    "\xe1\xb8\x8b\xcc\xa3",      /* one that decomposes in front of one */
    "\xce\xa3\xce\x91\xce\xa3 ", /* sigmas */
    "\xce\xa3",
    "\xe4\xb8\xad\xe6\x96\x87", /* 中文 */
    "\xe4\xb8\xad",
    "\xef\xbc\x8c",             /* a wide comma */
    "\xef\xbc\xa1\xef\xbc\xa2", /* wide letters */
    "\xef\xac\x81",             /* a ligature */
    "\xc2\xa0",
    "\xe3\x80\x80",
    "\xc2\xad", /* a soft hyphen */
    "\xe2\x80\x8b",
    "\xed\x95\x9c\xea\xb8\x80 ", /* Hangul */
    "\xf0\x9f\x98\x80",
    "\xc4\xb0", /* I with a dot */
    "\xef\xbf\xbd",
    "\xe2\x96\x81", /* U+2581 */
    "\xe2\x96\x81\xe2\x96\x81x",
    "\xff",
    "\xe4\xb8",
    "\xf0\x9f\x98",
    "\x80",
    "\xc3",
    "abcdefghijklmnopqrstuvwxyzABCDEFGH",
};
enum { SNIPPETS = sizeof snippets / sizeof *snippets };

/* Snippets up to about n bytes, with runs of one of them. */
static struct tsl_slice random_text(struct rnd *r, uint8_t *buf, size_t n)
{
    size_t len = 0, few = rnd_below(r, SNIPPETS) + 1, from = rnd_below(r, SNIPPETS);
    while (len + 400 < n) {
        const char *s = snippets[(from + rnd_below(r, few)) % SNIPPETS];
        size_t times = rnd_once(r, 40) ? rnd_below(r, 300 / strlen(s) + 1) : 1;
        for (; times; times--) {
            memcpy(buf + len, s, strlen(s));
            len += strlen(s);
        }
    }
    return (struct tsl_slice){ buf, len };
}

enum { TEXT = 3000, ROUNDS = 300, LARGE = 200000 };

static void try_all_ways(const struct tsl_wordcut *cut, struct tsl_slice text,
                         const struct words *want, uint64_t invalid, struct rnd *r)
{
    static const size_t most[] = { 0, 7, 500, 70000 };
    struct words got = { 0 };
    for (size_t i = text.len > TEXT ? 2 : 0; i < 4; i++) {
        struct tsl_wordcut_counts n = cut_in(cut, text, i == 2 ? 0 : most[i], r, &got);
        assert_same_words(&got, want);
        if (invalid != UINT64_MAX)
            assert_int_equal(n.invalid, invalid);
    }
    free(got.p);
}

/* ---- bert ------------------------------------------------------------------------------ */

static uint64_t slow_bert(const struct tsl_bertnorm *n, struct tsl_slice text,
                          struct words *out)
{
    struct tsl_bertchars c = { 0 };
    struct tsl_err err = { 0 };
    struct tsl_bertcontext none = { false, false };
    uint8_t *word = malloc(text.len * 16 + 16);
    size_t len = 0;
    out->len = out->n = 0;
    assert_ok(tsl_bertnorm_chars(n, text, none, &c, &err), &err);
    for (size_t i = 0; i <= c.n; i++) {
        if (len && (i == c.n || c.c[i].first)) {
            words_add(out, word, len);
            len = 0;
        }
        if (i < c.n)
            len += tsl_utf8_encode(word + len, c.c[i].cp);
    }
    uint64_t invalid = c.invalid;
    tsl_bertchars_fini(&c);
    free(word);
    return invalid;
}

static void bert_words_are_those_of_bertnorm(void **state)
{
    struct rnd r = rnd_make(1, "bert");
    uint8_t *buf = malloc(LARGE);
    struct words want = { 0 };
    struct tsl_err err = { 0 };
    (void)state;
    for (int rules = 0; rules < 3; rules++)
        for (int kind = 0; kind < 4; kind++) {
            struct tsl_bertnorm n = { (enum tsl_rules)rules, kind != 2, kind != 3,
                                      kind != 1, kind % 2 == 0 };
            struct tsl_wordcut cut;
            n = tsl_bertnorm_make(n);
            assert_ok(tsl_wordcut_bert(&cut, &n, &err), &err);
            for (int i = 0; i < ROUNDS / 4; i++) {
                size_t most = i % 25 ? rnd_below(&r, TEXT) + 1 : LARGE / 2;
                struct tsl_slice text = random_text(&r, buf, most);
                uint64_t invalid = slow_bert(&n, text, &want);
                try_all_ways(&cut, text, &want, invalid, &r);
            }
            tsl_wordcut_fini(&cut);
        }
    free(want.p);
    free(buf);
}

/* ---- bytes ----------------------------------------------------------------------------- */

static uint64_t slow_repair(struct tsl_slice text, uint8_t *to, size_t *len)
{
    uint64_t invalid = 0;
    for (size_t i = 0; i < text.len;) {
        uint32_t cp;
        i += tsl_utf8_decode(text.data + i, text.data + text.len, &cp);
        invalid += cp == TSL_UTF8_BAD;
        *len += tsl_utf8_encode(to + *len, cp == TSL_UTF8_BAD ? 0xfffd : cp);
    }
    return invalid;
}

static void bytes_are_cut_as_by_splitpat(void **state)
{
    static const enum tsl_splitpat patterns[] = { TSL_SPLITPAT_UNKNOWN, TSL_SPLITPAT_GPT2,
                                                  TSL_SPLITPAT_CL100K,
                                                  TSL_SPLITPAT_O200K };
    struct rnd r = rnd_make(2, "bytes");
    uint8_t *buf = malloc(LARGE), *fixed = malloc(3 * LARGE + 1);
    struct words want = { 0 };
    struct tsl_err err = { 0 };
    (void)state;
    for (size_t k = 0; k < 16; k++) {
        struct tsl_wordcut_bytes_opts o = { patterns[k % 4], k & 4, k & 8 };
        struct tsl_wordcut cut;
        assert_ok(tsl_wordcut_bytes(&cut, &o, &err), &err);
        for (int i = 0; i < ROUNDS / 8; i++) {
            size_t most = i % 25 ? rnd_below(&r, TEXT) + 1 : LARGE / 4;
            struct tsl_slice text = random_text(&r, buf, most);
            size_t len = 0;
            uint64_t invalid = 0;
            if (o.prefix_space && text.len && text.data[0] != ' ')
                fixed[len++] = ' ';
            if (o.keep_bad) {
                memcpy(fixed + len, text.data, text.len);
                len += text.len;
            } else {
                invalid = slow_repair(text, fixed, &len);
            }
            want.len = want.n = 0;
            for (size_t at = 0; at < len;) {
                bool matched;
                size_t n = o.pattern ? tsl_splitpat_next(o.pattern, fixed + at, len - at,
                                                         &matched)
                                     : len;
                words_add(&want, fixed + at, n);
                at += n;
            }
            if (o.pattern || len <= 65536)
                try_all_ways(&cut, text, &want, invalid, &r);
        }
        tsl_wordcut_fini(&cut);
    }
    struct tsl_wordcut cut;
    struct tsl_wordcut_bytes_opts o = { TSL_SPLITPAT_CJK, false, false };
    if (tsl_wordcut_bytes(&cut, &o, &err) == 0)
        tsl_wordcut_fini(&cut);
    free(want.p);
    free(fixed);
    free(buf);
}

/* ---- spm ------------------------------------------------------------------------------- */

static bool is_space_at(const uint8_t *p, size_t n, size_t i)
{
    return n - i >= 3 && memcmp(p + i, "\xe2\x96\x81", 3) == 0;
}

/* SplitIntoWords of SentencePiece, letter by letter.  ends: the last word has a NUL, which is
 * there, behind it. */
static void slow_split(const uint8_t *p, size_t n, bool suffix, bool only, bool ends,
                       struct words *out)
{
    size_t begin = 0;
    bool in_run = false;
    for (size_t i = 0; i < n;) {
        bool space = is_space_at(p, n, i);
        bool cut = suffix ? i > 0 && is_space_at(p, n, i - 3 > i ? n : i - 3) &&
                                (!only || !space)
                          : i > 0 && space && !(only && in_run);
        if (cut) {
            words_add(out, p + begin, i - begin);
            begin = i;
        }
        in_run = space;
        i += space ? 3 : 1;
    }
    if (begin < n)
        words_add(out, p + begin, n - begin + ends);
}

static uint64_t slow_spm(const struct tsl_wordcut_spm_opts *o, struct tsl_slice text,
                         struct words *out)
{
    struct tsl_spmnorm nm;
    struct tsl_spmnorm_run run = { 0 };
    struct tsl_err err = { 0 };
    size_t len = 0;
    assert_ok(
        tsl_spmnorm_init(&nm, &o->normalizer, o->whitespace_suffix, NULL, 0, "t", &err),
        &err);
    tsl_spmnorm_begin(&run);
    assert_ok(tsl_spmnorm_text(&nm, &run, text, true, &err), &err);
    uint8_t *p = malloc(3 * run.len + 1);
    for (size_t i = 0; run.started && i < run.len; i++) {
        if (run.bytes[i] == ' ') {
            memcpy(p + len, "\xe2\x96\x81", 3);
            len += 3;
        } else {
            p[len++] = run.bytes[i];
        }
    }
    out->len = out->n = 0;
    p[len] = 0;
    if (o->whole && len)
        words_add(out, p, len + o->text_ends);
    else
        slow_split(p, len, o->whitespace_suffix, o->whitespace_only, o->text_ends, out);
    uint64_t invalid = run.invalid;
    tsl_spmnorm_fini_run(&run);
    tsl_spmnorm_fini(&nm);
    free(p);
    return invalid;
}

static void spm_words_are_those_of_the_normal_form(void **state)
{
    struct rnd r = rnd_make(3, "spm");
    uint8_t *buf = malloc(LARGE);
    struct words want = { 0 };
    struct tsl_err err = { 0 };
    (void)state;
    for (unsigned k = 0; k < 64; k++) {
        struct tsl_wordcut_spm_opts o = {
            .normalizer = { .add_dummy_prefix = k & 1,
                            .remove_extra_whitespaces = k & 2,
                            .escape_whitespaces = true },
            .whitespace_suffix = k & 4,
            .whitespace_only = k & 8,
            .whole = (k & 16) && (k & 12) == 0,
            .text_ends = k & 32,
        };
        struct tsl_wordcut cut;
        assert_ok(tsl_wordcut_spm(&cut, &o, &err), &err);
        for (int i = 0; i < ROUNDS / 20; i++) {
            size_t most = i % 25 ? rnd_below(&r, TEXT) + 1 : LARGE / (o.whole ? 16 : 1);
            struct tsl_slice text = random_text(&r, buf, most);
            uint64_t invalid = slow_spm(&o, text, &want);
            try_all_ways(&cut, text, &want, invalid, &r);
        }
        tsl_wordcut_fini(&cut);
    }
    free(want.p);
    free(buf);
}

static void assert_words(const struct tsl_wordcut *cut, const char *text,
                         const char *want)
{
    struct words got = { 0 };
    struct rnd r = rnd_make(4, "");
    char line[500] = "", *q = line;
    cut_in(cut, str(text), 0, &r, &got);
    for (size_t at = 0; at < got.len;) {
        uint64_t n;
        memcpy(&n, got.p + at, 8);
        if (q > line)
            *q++ = '|';
        memcpy(q, got.p + at + 8, n);
        q += n;
        at += 8 + n;
    }
    *q = '\0';
    assert_string_equal(line, want);
    free(got.p);
}

#define SP "\xe2\x96\x81"

static void spm_cuts_at_symbols_and_leaves_texts_out(void **state)
{
    const struct tsl_slice symbols[] = { str("<sep>"), str("foo"), str(SP "the"),
                                         str("o" SP "b") };
    struct tsl_wordcut_spm_opts o = { .normalizer = { .add_dummy_prefix = true,
                                                      .remove_extra_whitespaces = true,
                                                      .escape_whitespaces = true },
                                      .line_max = 20,
                                      .symbols = symbols,
                                      .nsymbols = 4 };
    struct tsl_wordcut cut;
    struct tsl_err err = { 0 };
    struct words got = { 0 };
    struct rnd r = rnd_make(5, "");
    (void)state;
    assert_ok(tsl_wordcut_spm(&cut, &o, &err), &err);
    assert_words(&cut, "a<sep>b foobar", SP "a\t|b|" SP "\t|bar");
    assert_words(&cut, "the them", "\t|\t|m");
    assert_words(&cut, "zo bar", SP "z\t|ar");
    assert_words(&cut, "one two three four", SP "one|" SP "two|" SP "three|" SP "four");
    assert_words(&cut, "one two three four fi", "");
    assert_words(&cut, "one \xe2\x96\x85", "");
    assert_words(&cut, "one \xe2\x96\x84", SP "one|" SP "\xe2\x96\x84");
    struct tsl_wordcut_counts n =
        cut_in(&cut, str("a text that is too long, in stretches"), 3, &r, &got);
    assert_int_equal(n.skipped, 1);
    assert_int_equal(got.n, 0);
    free(got.p);
    tsl_wordcut_fini(&cut);
}

/* A symbol that has a blank may reach into the next word; others may not, and a text that
 * has them can come in stretches. */
static void spm_symbols_are_found_in_stretches_of_a_text(void **state)
{
    const struct tsl_slice plain[] = { str("a"), str("<s>"), str("ab") };
    const struct tsl_slice spaced[] = { str("a" SP), str("b" SP "c") };
    struct rnd r = rnd_make(6, "symbols");
    struct words want = { 0 };
    uint8_t text[400];
    (void)state;
    for (unsigned k = 0; k < 8; k++) {
        struct tsl_wordcut_spm_opts o = { .normalizer = { .add_dummy_prefix = true,
                                                          .remove_extra_whitespaces =
                                                              true,
                                                          .escape_whitespaces = true },
                                          .whitespace_suffix = k & 1,
                                          .text_ends = k & 2,
                                          .symbols = k & 4 ? spaced : plain,
                                          .nsymbols = k & 4 ? 2 : 3 };
        struct tsl_wordcut cut;
        struct tsl_err err = { 0 };
        assert_ok(tsl_wordcut_spm(&cut, &o, &err), &err);
        for (int i = 0; i < 200; i++) {
            size_t n = rnd_below(&r, sizeof text);
            for (size_t j = 0; j < n; j++)
                text[j] = (uint8_t) "abc  <s>"[rnd_below(&r, 8)];
            struct tsl_slice all = { text, n };
            cut_in(&cut, all, 0, &r, &want);
            try_all_ways(&cut, all, &want, 0, &r);
        }
        tsl_wordcut_fini(&cut);
    }
    free(want.p);
}

/* ---- hf -------------------------------------------------------------------------------- */

static void hf_parts_are_applied_one_after_the_other(void **state)
{
    struct tsl_wordcut cut;
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(tsl_wordcut_hf(&cut, tsl_normalizer_create_lowercase(&err),
                             tsl_pretok_create_whitespace(&err), "Whitespace", &err),
              &err);
    assert_string_equal(cut.describe, "hf Whitespace");
    assert_words(&cut, "One, TWO--three\xff", "one|,|two|--|three|\xef\xbf\xbd");
    assert_words(&cut, "", "");
    tsl_wordcut_fini(&cut);
    assert_ok(tsl_wordcut_hf(&cut, NULL, NULL, "nothing", &err), &err);
    assert_words(&cut, "One two", "One two");
    tsl_wordcut_fini(&cut);
}

/* ---- all ------------------------------------------------------------------------------- */

static void very_long_words_are_left_out(void **state)
{
    enum { WORD = 65536, HUGE_WORD = 3 << 20 };
    uint8_t *p = malloc(HUGE_WORD + 100);
    struct tsl_bertnorm norm = { TSL_RULES_HF, true, true, true, true };
    struct tsl_wordcut_bytes_opts bo = { TSL_SPLITPAT_GPT2, false, false };
    struct tsl_wordcut cut;
    struct tsl_err err = { 0 };
    struct rnd r = rnd_make(6, "");
    struct words got = { 0 };
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        assert_ok(kind ? tsl_wordcut_bytes(&cut, &bo, &err)
                       : tsl_wordcut_bert(&cut, &norm, &err),
                  &err);
        for (size_t n = WORD - 1; n <= HUGE_WORD; n = n > WORD ? n * 8 : n + 1)
            for (size_t most = 0; most <= 100000; most += 50000) {
                memset(p, 'a', n);
                memcpy(p + n, "\nb c", 4);
                struct tsl_wordcut_counts c =
                    cut_in(&cut, (struct tsl_slice){ p, n + 4 }, most, &r, &got);
                assert_int_equal(c.long_words, n > WORD);
                assert_int_equal(c.long_bytes, n > WORD ? n : 0);
                assert_int_equal(got.n, (kind ? 3 : 2) + (n <= WORD));
            }
        tsl_wordcut_fini(&cut);
    }
    free(got.p);
    free(p);
}

static void text_that_cannot_be_cut_is_left_out_whatever_the_stretches(void **state)
{
    enum { N = 1200000 };
    uint8_t *p = malloc(N + 100);
    struct tsl_bertnorm norm = { TSL_RULES_HF, true, true, true, true };
    struct tsl_wordcut cut;
    struct tsl_err err = { 0 };
    struct rnd r = rnd_make(7, "");
    struct words got = { 0 };
    (void)state;
    assert_ok(tsl_wordcut_bert(&cut, &norm, &err), &err);
    /* soft hyphens, which are dropped, around letters with a mark */
    for (size_t i = 0; i < N; i += 2)
        memcpy(p + i, i % 100000 ? "\xc2\xad" : "\xcc\x81", 2);
    memcpy(p + N, " end", 4);
    for (size_t most = 0; most <= 300000; most += 100000) {
        struct tsl_wordcut_counts c =
            cut_in(&cut, (struct tsl_slice){ p, N + 4 }, most, &r, &got);
        assert_int_equal(got.n, 1);
        assert_int_equal(c.long_words, 1);
        assert_int_equal(c.long_bytes, N);
    }
    tsl_wordcut_fini(&cut);
    free(got.p);
    free(p);
}

static int refuse(void *ctx, struct tsl_slice word, struct tsl_err *err)
{
    unsigned *left = ctx;
    (void)word;
    return (*left)-- ? 0 : tsl_err_set(err, TSL_EIO, "no more words");
}

static int ignore(void *ctx, struct tsl_slice word, struct tsl_err *err)
{
    (void)ctx, (void)word, (void)err;
    return 0;
}

static struct tsl_wordcut make(int kind)
{
    struct tsl_bertnorm norm = { TSL_RULES_HF, true, true, true, true };
    struct tsl_wordcut_bytes_opts bo = { TSL_SPLITPAT_GPT2, true, false };
    struct tsl_slice symbol = str("foo");
    struct tsl_wordcut_spm_opts so = { .normalizer = { .add_dummy_prefix = true,
                                                       .escape_whitespaces = true },
                                       .symbols = &symbol,
                                       .nsymbols = 1 };
    struct tsl_wordcut cut;
    struct tsl_err err = { 0 };
    int rc;
    if (kind == 0)
        rc = tsl_wordcut_bert(&cut, &norm, &err);
    else if (kind == 1)
        rc = tsl_wordcut_bytes(&cut, &bo, &err);
    else if (kind == 2)
        rc = tsl_wordcut_spm(&cut, &so, &err);
    else {
        struct tsl_normalizer *n = tsl_normalizer_create_lowercase(&err);
        struct tsl_pretok *p = tsl_pretok_create_whitespace(&err);
        cut = (struct tsl_wordcut){ 0 };
        rc = err.code;
        if (rc == 0) {
            rc = tsl_wordcut_hf(&cut, n, p, "Whitespace", &err);
        } else {
            tsl_normalizer_destroy(n);
            tsl_pretok_destroy(p);
        }
    }
    if (rc < 0)
        assert_null(cut.ops);
    return cut;
}

static void failures_are_passed_on(void **state)
{
    static const char text[] = "One two e\xcc\x81t\xc3\xa9 \xff three xfoox";
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct tsl_wordcut cut = make(kind);
        for (unsigned n = 0; n < 4; n++) {
            struct tsl_err err = { 0 };
            unsigned left = n;
            size_t used;
            void *c = cut.ops->create(cut.model, &err);
            int rc = cut.ops->cut(c, str(text), true, true, &used, refuse, &left, &err);
            assert_err(rc, TSL_EIO, &err, "no more words");
            cut.ops->destroy(c);
        }
        tsl_wordcut_fini(&cut);
        for (unsigned nth = 1;; nth++) {
            struct tsl_err err = { 0 };
            size_t used;
            fault_arm(nth, "calloc realloc mmap");
            cut = make(kind);
            void *c = cut.ops ? cut.ops->create(cut.model, &err) : NULL;
            int rc = c ? cut.ops->cut(c, str(text), true, true, &used, ignore, NULL, &err)
                       : TSL_ENOMEM;
            const char *call = fault_disarm();
            if (c)
                cut.ops->destroy(c);
            tsl_wordcut_fini(&cut);
            if (rc != (call ? TSL_ENOMEM : 0))
                fail_msg("kind %d: %s failed, and it returned %d", kind, call, rc);
            if (!call)
                break;
        }
    }
}

static void unlike_cuts_say_so(void **state)
{
    struct tsl_wordcut a, b;
    struct tsl_err err = { 0 };
    struct tsl_bertnorm norm = { TSL_RULES_HF, true, true, true, true };
    (void)state;
    assert_ok(tsl_wordcut_bert(&a, &norm, &err), &err);
    norm.lowercase = false;
    assert_ok(tsl_wordcut_bert(&b, &norm, &err), &err);
    assert_string_not_equal(a.describe, b.describe);
    tsl_wordcut_keep_line_ends(&b);
    tsl_wordcut_keep_line_ends(&b);
    assert_string_equal(b.describe, "bert rules=hf clean=1 chinese=1 strip-accents=1 "
                                    "lowercase=0 line-ends");
    tsl_wordcut_fini(&a);
    tsl_wordcut_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bert_words_are_those_of_bertnorm),
        TEST(bytes_are_cut_as_by_splitpat),
        TEST(spm_words_are_those_of_the_normal_form),
        TEST(spm_symbols_are_found_in_stretches_of_a_text),
        TEST(spm_cuts_at_symbols_and_leaves_texts_out),
        TEST(hf_parts_are_applied_one_after_the_other),
        TEST(very_long_words_are_left_out),
        TEST(text_that_cannot_be_cut_is_left_out_whatever_the_stretches),
        TEST(failures_are_passed_on),
        TEST(unlike_cuts_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
