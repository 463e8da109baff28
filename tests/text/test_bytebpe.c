#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/bytebpedata.h"
#include "support/fault.h"
#include "support/gendata.h"
#include "support/slowbytebpe.h"

static const struct tsl_engine *const engine = &tsl_bytebpe_engine;
enum { MEMORY = 4 << 20 };

static struct tsl_slice slice(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static struct tsl_bytebpe_model *model_of(const struct tsl_bytebpe_opts *o)
{
    struct tsl_err err = { 0 };
    struct tsl_bytebpe_model *m = tsl_bytebpe_model_create(o, &err);
    assert_ok(m ? 0 : err.code, &err);
    return m;
}

static void *coder_of(const struct tsl_bytebpe_model *m)
{
    struct tsl_err err = { 0 };
    void *c = engine->coder_create(m, MEMORY, &err);
    assert_ok(c ? 0 : err.code, &err);
    return c;
}

/* In stretches of up to most bytes; 0: at once. */
static void encode(void *coder, struct tsl_slice text, size_t most, struct gen *g,
                   struct tsl_tokens *out)
{
    size_t at = 0, n = 0, used;
    bool first = true, last = false;
    tsl_tokens_reset(out);
    while (!last) {
        struct tsl_err err = { 0 };
        size_t from = out->n;
        n += most ? 1 + gen_below(g, most) : text.len;
        n = n < text.len - at ? n : text.len - at;
        last = at + n == text.len;
        uint8_t *copy = malloc(n + 1); /* nothing lies behind it */
        if (n)
            memcpy(copy, text.data + at, n);
        assert_ok(engine->encode(coder, (struct tsl_slice){ copy, n }, first, last, &used,
                                 out, &err),
                  &err);
        free(copy);
        assert_true(used <= n && (!last || used == n));
        for (size_t i = from; out->want && i < out->n; i++) {
            out->begin[i] += (uint32_t)at;
            out->end[i] += (uint32_t)at;
        }
        first = first && used == 0;
        at += used;
        n -= used;
    }
}

static void assert_same(const struct tsl_tokens *t, const struct tsl_tokens *slow)
{
    assert_int_equal(t->n, slow->n);
    for (size_t i = 0; i < t->n; i++) {
        assert_int_equal(t->ids[i], slow->ids[i]);
        if (t->want)
            assert_int_equal(t->marks[i], slow->marks[i]);
        if (t->want)
            assert_true(t->begin[i] == slow->begin[i] && t->end[i] == slow->end[i]);
    }
}

/* Text of few letters, digits, blanks and signs, and now and then of anything. */
static struct tsl_slice random_text(struct gen *g, uint8_t *buf, size_t most, bool utf8)
{
    static const char *const parts[] = { "a",
                                         "b",
                                         "ab",
                                         " ",
                                         "  ",
                                         "1",
                                         "12",
                                         ".",
                                         "'s",
                                         "'LL",
                                         "\n",
                                         "\r\n",
                                         "\t",
                                         "A",
                                         "Ab",
                                         "<",
                                         "<s>",
                                         "\xc3\xa9",
                                         "\xc2\xa0",
                                         "e\xcc\x81",
                                         "aaaaaaaaaaaaaaaaaaaaaaaa",
                                         "\xe4\xb8\xad",
                                         "\xe6\x96\x87\xe4\xb8\xad",
                                         "\xf0\x9f\x98\x80",
                                         "\xe3\x80\x80",
                                         "\xd9\xa1",
                                         "\xc7\x85",
                                         "\xcb\xb0" };
    size_t n = 0, want = gen_below(g, most + 1);
    while (n < want) {
        if (!utf8 && gen_below(g, 12) == 0) {
            buf[n++] = (uint8_t)gen_u64(g);
            continue;
        }
        const char *s = parts[gen_below(g, sizeof parts / sizeof *parts)];
        memcpy(buf + n, s, strlen(s));
        n += strlen(s);
    }
    return (struct tsl_slice){ buf, n };
}

static uint32_t token(struct tsl_vocab *v, struct tsl_slice s)
{
    struct tsl_err err = { 0 };
    int64_t id = tsl_vocab_find(v, s);
    if (id >= 0)
        return (uint32_t)id;
    assert_ok(tsl_vocab_add(v, tsl_vocab_size(v), s, &err), &err);
    return tsl_vocab_size(v) - 1;
}

enum { NMERGES = 60 };

/* Merges of what there is by then, as a trainer finds them, and a few again. */
static struct tsl_vocab *random_vocab(struct gen *g, struct tsl_tokfile_merge *m)
{
    static const char seeds[] =
        "ab 1.A\xe4\xb8\xad\xe6\x96\x87\xc3\xa9\xcc\x81\xf0\x9f\x98\x80<s>'\n";
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = tsl_vocab_create(&err);
    for (unsigned b = 0; b < 256; b++) {
        uint8_t byte = (uint8_t)b;
        token(v, (struct tsl_slice){ &byte, 1 });
    }
    for (size_t i = 0; i < NMERGES; i++) {
        uint32_t part[2];
        uint8_t both[200];
        size_t len = 0;
        for (int k = 0; k < 2; k++) {
            size_t pick = gen_below(g, sizeof seeds - 1 + i);
            part[k] = pick < sizeof seeds - 1 ? (uint8_t)seeds[pick]
                                              : m[pick - (sizeof seeds - 1)].merged;
            struct tsl_slice s = tsl_vocab_token(v, part[k]);
            if (s.len > 40) {
                part[k] = 'a';
                s = tsl_vocab_token(v, 'a');
            }
            memcpy(both + len, s.data, s.len);
            len += s.len;
        }
        m[i] = (struct tsl_tokfile_merge){ part[0], part[1],
                                           token(v, (struct tsl_slice){ both, len }) };
    }
    return v;
}

static void
any_vocabulary_gives_what_the_definition_gives_however_a_row_is_cut(void **state)
{
    static const enum tsl_splitpat patterns[] = {
        TSL_SPLITPAT_GPT2,   TSL_SPLITPAT_CL100K, TSL_SPLITPAT_CL100K_T,
        TSL_SPLITPAT_QWEN2,  TSL_SPLITPAT_O200K,  TSL_SPLITPAT_TEKKEN,
        TSL_SPLITPAT_UNKNOWN
    };
    struct gen g = { 77 };
    uint8_t *buf = malloc(2000);
    struct tsl_tokfile_merge merges[NMERGES];
    (void)state;
    for (int round = 0; round < 42; round++) {
        struct tsl_vocab *v = random_vocab(&g, merges);
        const struct tsl_bytebpe_special specials[] = {
            { slice("<s>"), 9000, false }, { slice("<s><s>"), 9001, false }
        };
        bool ranks = round % 3 == 2;
        const struct tsl_bytebpe_opts o = {
            .vocab = v,
            .merges = ranks ? NULL : merges,
            .nmerges = ranks ? 0 : NMERGES,
            .pattern = patterns[round % 7],
            .whole = ranks || gen_below(&g, 2),
            .invalid = round % 2 ? TSL_INVALID_BYTES : TSL_INVALID_REPLACE,
            .specials = specials,
            .nspecials = gen_below(&g, 2) * 2,
            .isa = gen_below(&g, 3) ? TSL_SPLITSCAN_BEST : TSL_SPLITSCAN_PLAIN
        };
        struct tsl_bytebpe_model *m = model_of(&o);
        void *coder = coder_of(m);
        for (int i = 0; i < 25; i++) {
            bool utf8 = gen_below(&g, 2);
            struct tsl_slice text = random_text(&g, buf, i % 8 ? 100 : 1500, utf8);
            struct tsl_tokens slow, fast;
            tsl_tokens_init(&slow, TSL_WANT_SPANS | TSL_WANT_MARKS);
            slow_bytebpe(&o, text, &slow);
            for (unsigned k = 0; k < 4; k++) {
                tsl_tokens_init(&fast, k & 1 ? TSL_WANT_SPANS | TSL_WANT_MARKS : 0);
                encode(coder, text, k & 2 ? 60 : 0, &g, &fast);
                assert_same(&fast, &slow);
                tsl_tokens_fini(&fast);
            }
            tsl_tokens_fini(&slow);
        }
        engine->coder_destroy(coder);
        tsl_bytebpe_model_destroy(m);
        tsl_vocab_destroy(v);
    }
    free(buf);
}

static void many_rows_at_once_are_each_what_they_are_alone(void **state)
{
    enum { ROWS = 40 };
    struct bpedata d;
    struct gen g = { 8 };
    uint8_t *buf = malloc(5000);
    (void)state;
    bpedata_gpt2(&d);
    struct tsl_bytebpe_model *m = model_of(&d.opts);
    void *coder = coder_of(m);
    for (int round = 0; round < 60; round++) {
        struct tsl_slice text = random_text(&g, buf, 4000, round & 1);
        struct tsl_row rows[ROWS];
        size_t ends[ROWS];
        struct tsl_err err = { 0 };
        struct tsl_tokens all, one;
        tsl_tokens_init(&all, round & 2 ? TSL_WANT_SPANS | TSL_WANT_MARKS : 0);
        tsl_tokens_init(&one, all.want);
        for (size_t i = 0; i < ROWS; i++) {
            rows[i].at = (uint32_t)gen_below(&g, text.len + 1);
            rows[i].len = (uint32_t)gen_below(&g, text.len - rows[i].at + 1);
        }
        assert_ok(engine->encode_rows(coder, buf, rows, ROWS, &all, ends, &err), &err);
        for (size_t i = 0, at = 0; i < ROWS; at = ends[i++]) {
            encode(coder, (struct tsl_slice){ buf + rows[i].at, rows[i].len }, 0, &g,
                   &one);
            assert_int_equal(ends[i] - at, one.n);
            for (size_t k = 0; k < one.n; k++) {
                assert_int_equal(all.ids[at + k], one.ids[k]);
                if (all.want)
                    assert_true(all.begin[at + k] == one.begin[k] &&
                                all.end[at + k] == one.end[k] &&
                                all.marks[at + k] == one.marks[k]);
            }
        }
        tsl_tokens_fini(&all);
        tsl_tokens_fini(&one);
    }
    free(buf);
    engine->coder_destroy(coder);
    tsl_bytebpe_model_destroy(m);
    bpedata_fini(&d);
}

static void bytes_that_are_kept_come_back(void **state)
{
    struct bpedata d;
    struct gen g = { 3 };
    uint8_t buf[600];
    (void)state;
    bpedata_cl100k(&d);
    d.opts.invalid = TSL_INVALID_BYTES;
    struct tsl_bytebpe_model *m = model_of(&d.opts);
    void *coder = coder_of(m);
    for (int round = 0; round < 200; round++) {
        size_t n = gen_below(&g, sizeof buf);
        struct tsl_err err = { 0 };
        struct tsl_tokens t;
        uint8_t *text = NULL;
        size_t len = 0, cap = 0;
        gen_bytes(&g, buf, n);
        tsl_tokens_init(&t, 0);
        encode(coder, (struct tsl_slice){ buf, n }, 0, &g, &t);
        assert_ok(tsl_bytebpe_decode(m, t.ids, t.n, &text, &len, &cap, &err), &err);
        assert_int_equal(len, n);
        if (n)
            assert_memory_equal(text, buf, n);
        tsl_mem_free(text);
        tsl_tokens_fini(&t);
    }
    const uint32_t none = 100256; /* between the ranks and the special tokens */
    struct tsl_err err = { 0 };
    uint8_t *text = NULL;
    size_t len = 0, cap = 0;
    assert_err(tsl_bytebpe_decode(m, &none, 1, &text, &len, &cap, &err), TSL_EFORMAT,
               &err, "100256");
    tsl_mem_free(text);
    engine->coder_destroy(coder);
    tsl_bytebpe_model_destroy(m);
    bpedata_fini(&d);
}

/* By a list of pairs that is searched, or a cut at every boundary but the right ones, these
 * would take hours. */
static void pieces_without_end_take_time_in_proportion(void **state)
{
    static const char *const units[] = { "a", "^", " ", "\xe4\xb8\xad", "ab", "\n", "9" };
    enum { N = 600000 };
    struct bpedata d;
    struct gen g = { 1 };
    uint8_t *text = malloc(N + 8);
    (void)state;
    bpedata_gpt2(&d);
    struct tsl_bytebpe_model *m = model_of(&d.opts);
    void *coder = coder_of(m);
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        struct tsl_tokens t;
        size_t n = 0;
        for (; n < N; n += strlen(units[u]))
            memcpy(text + n, units[u], strlen(units[u]));
        tsl_tokens_init(&t, 0);
        encode(coder, (struct tsl_slice){ text, n }, 0, &g, &t);
        assert_true(t.n > 0 && t.n <= n);
        tsl_tokens_fini(&t);
    }
    free(text);
    engine->coder_destroy(coder);
    tsl_bytebpe_model_destroy(m);
    bpedata_fini(&d);
}

static void a_vocabulary_that_does_not_fit_is_refused(void **state)
{
    struct tsl_err err = { 0 };
    struct gen g = { 2 };
    struct tsl_tokfile_merge merges[NMERGES];
    struct tsl_vocab *v = random_vocab(&g, merges), *few = tsl_vocab_create(&err);
    struct tsl_bytebpe_opts o = { .vocab = few, .pattern = TSL_SPLITPAT_GPT2 };
    (void)state;
    token(few, slice("a"));
    assert_null(tsl_bytebpe_model_create(&o, &err));
    assert_err(err.code, TSL_EUSAGE, &err, "no token for the byte 0x00");
    o.vocab = v;
    o.merges = merges;
    o.nmerges = 1;
    merges[0].merged = 'z';
    assert_null(tsl_bytebpe_model_create(&o, &err));
    assert_err(err.code, TSL_EFORMAT, &err, "");
    o.merges = NULL;
    o.nmerges = 0;
    o.pattern = TSL_SPLITPAT_DIGITS3; /* it has gaps */
    assert_null(tsl_bytebpe_model_create(&o, &err));
    assert_err(err.code, TSL_EUSAGE, &err, "");
    tsl_vocab_destroy(v);
    tsl_vocab_destroy(few);
}

static void any_failed_allocation_is_reported(void **state)
{
    struct gen g = { 4 };
    struct tsl_tokfile_merge merges[NMERGES];
    struct tsl_vocab *v = random_vocab(&g, merges);
    const struct tsl_bytebpe_special s = { slice("<s>"), 9000, false };
    const struct tsl_bytebpe_opts o = { .vocab = v,
                                        .merges = merges,
                                        .nmerges = NMERGES,
                                        .pattern = TSL_SPLITPAT_GPT2,
                                        .nfc = true,
                                        .specials = &s,
                                        .nspecials = 1 };
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        struct tsl_tokens t;
        size_t used;
        int rc = TSL_ENOMEM;
        tsl_tokens_init(&t, TSL_WANT_SPANS | TSL_WANT_MARKS);
        fault_arm(nth, "calloc realloc mmap");
        struct tsl_bytebpe_model *m = tsl_bytebpe_model_create(&o, &err);
        void *c = m ? engine->coder_create(m, MEMORY, &err) : NULL;
        if (c)
            rc = engine->encode(c, slice("e\xcc\x81 ab <s>aaaaaaaaaaaaaaaaaaaaaaaaa\xff"),
                                true, true, &used, &t, &err);
        const char *call = fault_disarm();
        if (!call || !fault_is_harmless(call))
            assert_int_equal(rc, call ? TSL_ENOMEM : 0);
        assert_int_equal(err.code, rc);
        tsl_tokens_fini(&t);
        engine->coder_destroy(c);
        tsl_bytebpe_model_destroy(m);
        if (!call)
            break;
    }
    tsl_vocab_destroy(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_vocabulary_gives_what_the_definition_gives_however_a_row_is_cut),
        TEST(many_rows_at_once_are_each_what_they_are_alone),
        TEST(bytes_that_are_kept_come_back),
        TEST(pieces_without_end_take_time_in_proportion),
        TEST(a_vocabulary_that_does_not_fit_is_refused),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
