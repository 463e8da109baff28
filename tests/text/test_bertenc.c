#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "support/fault.h"
#include "support/fixture.h"
#include "support/gendata.h"
#include "text/bertenc.h"

static const struct tsl_engine *const engine = &tsl_bertenc_engine;
static const char *const special_names[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]",
                                             "[MASK]" };
enum { NSPECIALS = 5, MEMORY = 4 << 20 };

static struct tsl_slice slice(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

/* One token a line, as the fixtures have it. */
static struct tsl_vocab *vocab_of_lines(struct tsl_slice text)
{
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = tsl_vocab_create(&err);
    const uint8_t *p = text.data, *end = p + text.len;
    for (uint32_t id = 0; p < end; id++) {
        const uint8_t *stop = memchr(p, '\n', (size_t)(end - p));
        stop = stop ? stop : end;
        assert_ok(tsl_vocab_add(v, id, (struct tsl_slice){ p, (size_t)(stop - p) }, &err),
                  &err);
        p = stop + 1;
    }
    return v;
}

static struct tsl_vocab *vocab_of_fixture(const char *model)
{
    char path[128];
    size_t n;
    snprintf(path, sizeof path, "tokenizers/%s/vocab.txt", model);
    uint8_t *text = fixture_get(path, &n);
    struct tsl_vocab *v = vocab_of_lines((struct tsl_slice){ text, n });
    free(text);
    return v;
}

static struct tsl_bertenc_model *model_of(const struct tsl_vocab *v, enum tsl_rules rules,
                                          bool lower, enum tsl_bertenc_cpu cpu,
                                          bool specials)
{
    struct tsl_err err = { 0 };
    struct tsl_bertenc_special s[NSPECIALS];
    size_t n = 0;
    for (size_t i = 0; i < NSPECIALS; i++) {
        int64_t id = tsl_vocab_find(v, slice(special_names[i]));
        if (id >= 0)
            s[n++] =
                (struct tsl_bertenc_special){ slice(special_names[i]), (uint32_t)id };
    }
    const struct tsl_bertenc_opts o = {
        .norm = { .rules = rules,
                  .clean_text = true,
                  .handle_chinese_chars = true,
                  .strip_accents = lower,
                  .lowercase = lower },
        .unk = tsl_vocab_find(v, slice("[UNK]")),
        .specials = s,
        .nspecials = specials ? n : 0,
        .cpu = cpu,
    };
    struct tsl_bertenc_model *m = tsl_bertenc_model_create(v, &o, &err);
    assert_ok(m ? 0 : err.code, &err);
    return m;
}

static void *coder_of(const struct tsl_bertenc_model *m)
{
    struct tsl_err err = { 0 };
    void *c = engine->coder_create(m, MEMORY, &err);
    assert_ok(c ? 0 : err.code, &err);
    return c;
}

static void encode(void *coder, struct tsl_slice text, struct tsl_tokens *out)
{
    struct tsl_err err = { 0 };
    size_t used = 0;
    assert_ok(engine->encode(coder, text, true, true, &used, out, &err), &err);
    assert_int_equal(used, text.len);
}

/* ---- what the peers give ------------------------------------------------------------- */

struct check {
    void
        *coders[4]; /* one each way: as fast as may be, AVX2, plain; the last for spans */
    struct tsl_tokens out;
    size_t differ;
    bool offsets;
    struct {
        char id[16];
        int64_t ids[600];
        size_t n;
    } instead[64]; /* rows that have other ids than hf.jsonl says */
    size_t ninstead;
};

static void read_instead(const struct tsl_jsonval *row, void *ctx)
{
    struct check *c = ctx;
    const struct tsl_jsonval *ids = tsl_jsonread_get(row, "ids");
    struct tsl_slice id = fixture_str(row, "id");
    size_t k = c->ninstead++;
    assert_true(k < 64 && tsl_jsonread_size(ids) <= 600);
    snprintf(c->instead[k].id, sizeof c->instead[k].id, "%.*s", (int)id.len,
             (const char *)id.data);
    c->instead[k].n = tsl_jsonread_size(ids);
    for (size_t i = 0; i < c->instead[k].n; i++)
        c->instead[k].ids[i] = fixture_int_at(ids, i);
}

/* Code points in text before byte at. */
static int64_t chars_before(struct tsl_slice text, size_t at)
{
    int64_t n = 0;
    for (size_t i = 0; i < at; i++)
        n += (text.data[i] & 0xc0) != 0x80;
    return n;
}

static void check_row(const struct tsl_jsonval *row, void *ctx)
{
    struct check *c = ctx;
    struct tsl_slice text = fixture_str(row, "text"), id = fixture_str(row, "id");
    const struct tsl_jsonval *ids = tsl_jsonread_get(row, "ids"),
                             *offsets = tsl_jsonread_get(row, "offsets");
    size_t n = tsl_jsonread_size(ids), other = 0;
    while (other < c->ninstead &&
           strncmp(c->instead[other].id, (const char *)id.data, id.len) != 0)
        other++;
    if (other < c->ninstead)
        n = c->instead[other].n;
    for (size_t k = 0; k < 4; k++) {
        c->out.want = k == 3 ? TSL_WANT_SPANS | TSL_WANT_MARKS : 0;
        if (k == 3) {
            tsl_tokens_fini(&c->out);
            tsl_tokens_init(&c->out, TSL_WANT_SPANS);
        }
        tsl_tokens_reset(&c->out);
        encode(c->coders[k], text, &c->out);
        bool same = c->out.n == n;
        for (size_t i = 0; same && i < n; i++) {
            int64_t want =
                other < c->ninstead ? c->instead[other].ids[i] : fixture_int_at(ids, i);
            same = c->out.ids[i] == want;
        }
        /* the peer's are in code points */
        for (size_t i = 0; same && k == 3 && c->offsets && offsets && i < n; i++) {
            const struct tsl_jsonval *o = tsl_jsonread_at(offsets, i);
            same = chars_before(text, c->out.begin[i]) == fixture_int_at(o, 0) &&
                   chars_before(text, c->out.end[i]) == fixture_int_at(o, 1);
        }
        if (!same)
            print_error("%.*s (%zu): %.*s\n", (int)id.len, (const char *)id.data, k,
                        (int)text.len, (const char *)text.data);
        c->differ += !same;
    }
}

static void check_model(const char *model, enum tsl_rules rules, bool lower,
                        bool specials, const char *instead, const char *expected,
                        size_t rows)
{
    struct check *c = calloc(1, sizeof *c);
    struct tsl_bertenc_model *m[4];
    struct tsl_vocab *v = vocab_of_fixture(model);
    c->offsets = rules == TSL_RULES_HF;
    char path[128];
    static const enum tsl_bertenc_cpu cpus[4] = { TSL_BERTENC_CPU_ALL,
                                                  TSL_BERTENC_CPU_AVX2,
                                                  TSL_BERTENC_CPU_PLAIN,
                                                  TSL_BERTENC_CPU_ALL };
    tsl_tokens_init(&c->out, 0);
    for (size_t i = 0; i < 4; i++) {
        m[i] = model_of(v, rules, lower, cpus[i], specials);
        c->coders[i] = coder_of(m[i]);
    }
    tsl_vocab_destroy(v);
    if (instead) {
        snprintf(path, sizeof path, "tokenizers/%s/expected/%s", model, instead);
        fixture_each(path, read_instead, c);
    }
    snprintf(path, sizeof path, "tokenizers/%s/expected/%s", model, expected);
    assert_int_equal(fixture_each(path, check_row, c), rows);
    assert_int_equal(c->differ, 0);
    tsl_tokens_fini(&c->out);
    for (size_t i = 0; i < 4; i++) {
        engine->coder_destroy(c->coders[i]);
        engine->model_destroy(m[i]);
    }
    free(c);
}

static void ids_and_offsets_are_those_of_hugging_face(void **state)
{
    (void)state;
    check_model("bert-base-uncased", TSL_RULES_HF, true, true, NULL, "hf.jsonl", 1043);
    check_model("bert-base-cased", TSL_RULES_HF, false, true, NULL, "hf.jsonl", 1043);
    check_model("bert-base-chinese", TSL_RULES_HF, true, true, NULL, "hf.jsonl", 1043);
}

static void ids_are_those_of_googles_script_where_asked(void **state)
{
    (void)state;
    check_model("bert-base-uncased", TSL_RULES_GOOGLE, true, false, "google_diff.jsonl",
                "hf.jsonl", 1043);
    check_model("bert-base-cased", TSL_RULES_GOOGLE, false, false, "google_diff.jsonl",
                "hf.jsonl", 1043);
    check_model("bert-base-chinese", TSL_RULES_GOOGLE, true, false, "google_diff.jsonl",
                "hf.jsonl", 1043);
}

static void marks_that_change_places_do_so_as_the_peers_have_it(void **state)
{
    (void)state;
    check_model("bert-order", TSL_RULES_HF, true, false, NULL, "hf.jsonl", 162);
    check_model("bert-order", TSL_RULES_GOOGLE, true, false, NULL, "google.jsonl", 162);
    check_model("bert-order", TSL_RULES_BERT4KERAS, true, false, NULL, "bert4keras.jsonl",
                162);
}

static size_t from_base64(struct tsl_slice s, uint8_t *out)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    size_t n = 0, have = 0;
    for (size_t i = 0; i < s.len && s.data[i] != '='; i++) {
        bits = bits << 6 | (uint32_t)(strchr(digits, s.data[i]) - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (uint8_t)(bits >> have);
        }
    }
    return n;
}

static void check_invalid(const struct tsl_jsonval *row, void *ctx)
{
    void *coder = ctx;
    const struct tsl_jsonval *ids = tsl_jsonread_get(row, "ids");
    uint8_t *bytes = malloc(4096); /* sanitizers see what is read beyond */
    struct tsl_slice b64 = fixture_str(row, "b64");
    assert_true(b64.len <= 4096);
    size_t n = from_base64(b64, bytes);
    bytes = realloc(bytes, n ? n : 1);
    for (unsigned want = 0; want < 2; want++) {
        struct tsl_tokens out;
        tsl_tokens_init(&out, want ? TSL_WANT_SPANS : 0);
        encode(coder, (struct tsl_slice){ bytes, n }, &out);
        assert_int_equal(out.n, tsl_jsonread_size(ids));
        for (size_t i = 0; i < out.n; i++)
            assert_int_equal(out.ids[i], fixture_int_at(ids, i));
        tsl_tokens_fini(&out);
    }
    free(bytes);
}

static void bytes_that_are_no_text_are_taken_as_the_web_takes_them(void **state)
{
    struct tsl_vocab *v = vocab_of_fixture("bert-base-uncased");
    struct tsl_bertenc_model *m =
        model_of(v, TSL_RULES_HF, true, TSL_BERTENC_CPU_ALL, true);
    void *c = coder_of(m);
    uint64_t invalid = 0, unknown = 0;
    (void)state;
    assert_int_equal(
        fixture_each("tokenizers/bert-base-uncased/expected/hf_invalid.jsonl",
                     check_invalid, c),
        120);
    engine->counts(c, &invalid, &unknown);
    assert_true(invalid > 0 && invalid % 2 == 0);
    engine->coder_destroy(c);
    engine->model_destroy(m);
    tsl_vocab_destroy(v);
}

/* ---- the ways agree ------------------------------------------------------------------ */

/* Text with a bit of everything. */
static size_t random_text(struct gen *g, uint8_t *out, size_t cap)
{
    static const char *const parts[] = {
        "the",
        "ing",
        "unaffable ",
        "New York",
        " ",
        "\n",
        "\t",
        ".",
        "...",
        "[MASK]",
        "[mask]",
        "[UNK",
        "##s",
        "\xe4\xb8\xad",
        "\xe5\x9b\xbd\xe4\xba\xba\xe6\xb0\x91",
        "\xef\xbc\x8c",
        "\xe3\x81\x8b\xe3\x81\xaa",
        "\xed\x95\x9c",
        "\xce\xa3",
        "a\xce\xa3",
        "\xce\xa3.",
        "\xc3\xa9",
        "e\xcc\x81",
        "\xc4\xb0",
        "\xe3\x80\xae",
        "\xe1\xad\x84",
        "\xe2\x80\x8d",
        "\xc2\xad",
        "\xe2\x80\x99",
        "\xff",
        "\xe4\xb8",
        "\xed\xa0\x80",
        "\xf0\x9f\x98\x80",
        "\xf0\xab\xa0\xa0",
        "\xe2\x80\xa8",
        "\xc2\xa0",
        "\x01",
        "\x7f",
        "0123456789",
    };
    enum { NPARTS = sizeof parts / sizeof *parts };
    size_t n = 0, want = (size_t)gen_below(g, cap - 400);
    while (n < want) {
        uint64_t k = gen_below(g, 40);
        if (k < 30) {
            const char *s = parts[gen_below(g, NPARTS)];
            memcpy(out + n, s, strlen(s));
            n += strlen(s);
        } else if (k < 34) {
            uint32_t cp = (uint32_t)gen_below(g, k < 32 ? 0x3000 : 0x110000);
            n += tsl_utf8_encode(out + n, cp >= 0xd800 && cp < 0xe000 ? 'x' : cp);
        } else if (k < 35) {
            out[n++] = (uint8_t)gen_u64(g);
        } else if (k < 36) {
            size_t run = (size_t)gen_below(g, 90);
            for (size_t i = 0; i < run; i++, n += 3)
                memcpy(out + n, "\xe4\xb8\x80", 3),
                    out[n + 2] = (uint8_t)(0x80 + gen_below(g, 64));
        } else {
            size_t run = 1 + (size_t)gen_below(g, k < 38 ? 9 : 220);
            for (size_t i = 0; i < run; i++)
                out[n++] = (uint8_t)("abcdeABZ09"[gen_below(g, 10)]);
        }
    }
    return n;
}

static void assert_same(const struct tsl_tokens *a, const struct tsl_tokens *b,
                        bool marks)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(a->ids[i], b->ids[i]);
        if (marks)
            assert_int_equal(a->marks[i], b->marks[i]);
    }
}

static void encode_in_stretches(void *coder, struct gen *g, struct tsl_slice text,
                                size_t most, struct tsl_tokens *out)
{
    size_t at = 0, len = 0;
    for (bool first = true;; first = false) {
        struct tsl_err err = { 0 };
        size_t used = SIZE_MAX;
        len += 1 + (size_t)gen_below(g, most);
        len = len < text.len - at ? len : text.len - at;
        bool last = at + len == text.len;
        uint8_t *copy = malloc(len ? len : 1); /* nothing lies behind it */
        if (len)
            memcpy(copy, text.data + at, len);
        assert_ok(engine->encode(coder, (struct tsl_slice){ copy, len }, first, last,
                                 &used, out, &err),
                  &err);
        free(copy);
        assert_true(used <= len && (!last || used == len));
        at += used;
        len -= used;
        if (last)
            return;
    }
}

static void all_ways_give_the_same_tokens(void **state)
{
    static const struct {
        enum tsl_rules rules;
        bool lower, specials;
    } kinds[] = { { TSL_RULES_HF, true, true },
                  { TSL_RULES_HF, false, true },
                  { TSL_RULES_GOOGLE, true, false },
                  { TSL_RULES_BERT4KERAS, true, false } };
    enum { CAP = 6000, ROWS = 12, NCPUS = 3 };
    struct tsl_vocab *v = vocab_of_fixture("bert-base-chinese");
    struct gen g = { 5 };
    uint8_t *text = malloc(CAP);
    (void)state;
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        struct tsl_bertenc_model *m[NCPUS];
        void *coder[NCPUS];
        for (int cpu = 0; cpu < NCPUS; cpu++) {
            m[cpu] = model_of(v, kinds[kind].rules, kinds[kind].lower,
                              (enum tsl_bertenc_cpu)cpu, kinds[kind].specials);
            coder[cpu] = coder_of(m[cpu]);
        }
        struct tsl_tokens plain, out;
        tsl_tokens_init(&plain, TSL_WANT_SPANS | TSL_WANT_MARKS);
        for (int round = 0; round < (int)(150 / test_thrift()); round++) {
            size_t n = random_text(&g, text, round % 3 ? 600 : CAP);
            uint8_t *copy = malloc(n ? n : 1);
            memcpy(copy, text, n);
            struct tsl_slice s = { copy, n };
            tsl_tokens_reset(&plain);
            encode(coder[0], s, &plain);
            for (int cpu = 0; cpu < NCPUS; cpu++)
                for (unsigned marks = 0; marks < 2; marks++) {
                    tsl_tokens_init(&out, marks ? TSL_WANT_MARKS : 0);
                    encode(coder[cpu], s, &out);
                    assert_same(&out, &plain, marks);
                    tsl_tokens_reset(&out);
                    encode_in_stretches(coder[cpu], &g, s, marks ? 40 : 2000, &out);
                    assert_same(&out, &plain, marks);
                    tsl_tokens_fini(&out);
                }
            /* the same as rows: each alone, then all at once */
            struct tsl_row rows[ROWS];
            size_t ends[ROWS], alone[ROWS];
            for (size_t i = 0; i < ROWS; i++) {
                rows[i].at = (uint32_t)gen_below(&g, n + 1);
                rows[i].len = (uint32_t)gen_below(&g, n - rows[i].at + 1);
            }
            for (unsigned want = 0; want < 4; want++) {
                struct tsl_tokens one;
                struct tsl_err err = { 0 };
                tsl_tokens_init(&one, want);
                tsl_tokens_init(&out, want);
                for (size_t i = 0; i < ROWS; i++) {
                    encode(coder[1], (struct tsl_slice){ copy + rows[i].at, rows[i].len },
                           &one);
                    alone[i] = one.n;
                }
                assert_ok(
                    engine->encode_rows(coder[1], copy, rows, ROWS, &out, ends, &err),
                    &err);
                assert_same(&out, &one, want & TSL_WANT_MARKS);
                assert_memory_equal(ends, alone, sizeof ends);
                if (want & TSL_WANT_SPANS)
                    for (size_t i = 0; i < out.n; i++)
                        assert_true(out.begin[i] == one.begin[i] &&
                                    out.end[i] == one.end[i]);
                tsl_tokens_fini(&one);
                tsl_tokens_fini(&out);
            }
            free(copy);
        }
        tsl_tokens_fini(&plain);
        for (int cpu = 0; cpu < NCPUS; cpu++) {
            engine->coder_destroy(coder[cpu]);
            engine->model_destroy(m[cpu]);
        }
    }
    free(text);
    tsl_vocab_destroy(v);
}

static void the_table_has_every_code_point_right(void **state)
{
    /* x?y: dropped, a blank, alone, or part of the word: four different results */
    struct tsl_vocab *v = vocab_of_lines(slice("[UNK]\nx\ny\nxy\n"));
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct tsl_bertenc_model *m =
            model_of(v, (enum tsl_rules)(i / 2), i & 1, TSL_BERTENC_CPU_ALL, false);
        void *c = coder_of(m);
        struct tsl_tokens fast, plain;
        tsl_tokens_init(&fast, 0);
        tsl_tokens_init(&plain, TSL_WANT_SPANS);
        for (uint32_t cp = 0; cp < 0x110000; cp += test_thrift()) {
            uint8_t text[6] = { 'x' };
            if (cp >= 0xd800 && cp < 0xe000)
                continue;
            size_t n = 1 + tsl_utf8_encode(text + 1, cp);
            text[n++] = 'y';
            tsl_tokens_reset(&fast);
            tsl_tokens_reset(&plain);
            encode(c, (struct tsl_slice){ text, n }, &fast);
            encode(c, (struct tsl_slice){ text, n }, &plain);
            if (fast.n != plain.n ||
                memcmp(fast.ids, plain.ids, fast.n * sizeof *fast.ids))
                fail_msg("U+%04X", cp);
        }
        tsl_tokens_fini(&fast);
        tsl_tokens_fini(&plain);
        engine->coder_destroy(c);
        engine->model_destroy(m);
    }
    tsl_vocab_destroy(v);
}

/* ---- what is long -------------------------------------------------------------------- */

static void words_longer_than_any_buffer_are_unknown_in_little_memory(void **state)
{
    struct tsl_vocab *v = vocab_of_lines(slice("[UNK]\na\n##a\nb\n[MASK]\n"));
    struct tsl_bertenc_model *m =
        model_of(v, TSL_RULES_HF, true, TSL_BERTENC_CPU_ALL, true);
    void *c = coder_of(m);
    struct tsl_tokens out;
    enum { STRETCH = 1 << 16 };
    uint8_t *text = malloc(STRETCH);
    (void)state;
    memset(text, 'a', STRETCH);
    tsl_tokens_init(&out, 0);
    for (int again = 0; again < 2; again++) {
        struct tsl_err err = { 0 };
        size_t used;
        for (int i = 0; i < 200; i++) { /* 13 MB of one word */
            assert_ok(engine->encode(c, (struct tsl_slice){ text, STRETCH }, i == 0,
                                     false, &used, &out, &err),
                      &err);
            assert_int_equal(used, STRETCH);
        }
        assert_ok(engine->encode(c, slice("aaa[MASK] b"), false, true, &used, &out, &err),
                  &err);
        assert_int_equal(out.n, 3);
        assert_true(out.ids[0] == 0 && out.ids[1] == 4 && out.ids[2] == 3);
        tsl_tokens_reset(&out);
    }
    /* and what is only long because most of it goes is not unknown */
    memset(text, 0, STRETCH);
    text[0] = text[20000] = text[STRETCH - 1] = 'a';
    encode(c, (struct tsl_slice){ text, STRETCH }, &out);
    assert_true(out.n == 3 && out.ids[0] == 1 && out.ids[1] == 2 && out.ids[2] == 2);
    tsl_tokens_fini(&out);
    free(text);
    engine->coder_destroy(c);
    engine->model_destroy(m);
    tsl_vocab_destroy(v);
}

static void a_word_has_so_many_characters_at_most(void **state)
{
    struct tsl_vocab *v = vocab_of_lines(slice("[UNK]\na\n##a\n"));
    struct tsl_bertenc_model *m[3];
    uint8_t text[256];
    (void)state;
    memset(text, 'a', sizeof text);
    for (int i = 0; i < 3; i++) {
        size_t most = i == TSL_RULES_HF ? 100 : 200;
        m[i] = model_of(v, (enum tsl_rules)i, true, TSL_BERTENC_CPU_ALL, false);
        void *c = coder_of(m[i]);
        struct tsl_tokens out;
        tsl_tokens_init(&out, 0);
        encode(c, (struct tsl_slice){ text, most }, &out);
        assert_int_equal(out.n, most);
        tsl_tokens_reset(&out);
        encode(c, (struct tsl_slice){ text, most + 1 }, &out);
        assert_true(out.n == 1 && out.ids[0] == 0);
        tsl_tokens_fini(&out);
        engine->coder_destroy(c);
        engine->model_destroy(m[i]);
    }
    tsl_vocab_destroy(v);
}

static void bert4keras_looks_a_long_word_up_as_it_is(void **state)
{
    char lines[300] = "[UNK]\n";
    (void)state;
    memset(lines + 6, 'a', 210);
    struct tsl_vocab *v = vocab_of_lines(slice(lines));
    for (int i = 0; i < 3; i++) {
        struct tsl_bertenc_model *m =
            model_of(v, (enum tsl_rules)i, true, TSL_BERTENC_CPU_ALL, false);
        void *c = coder_of(m);
        struct tsl_tokens out;
        tsl_tokens_init(&out, 0);
        encode(c, (struct tsl_slice){ (uint8_t *)lines + 6, 210 }, &out);
        assert_true(out.n == 1 && out.ids[0] == (i == TSL_RULES_BERT4KERAS));
        tsl_tokens_fini(&out);
        engine->coder_destroy(c);
        engine->model_destroy(m);
    }
    tsl_vocab_destroy(v);
}

/* ---- marks, specials, errors --------------------------------------------------------- */

static void marks_tell_starts_unknowns_and_specials(void **state)
{
    struct tsl_vocab *v =
        vocab_of_lines(slice("[UNK]\n[MASK]\nun\n##aff\n##able\n,\n\xe4\xb8\xad\n"));
    struct tsl_bertenc_model *m =
        model_of(v, TSL_RULES_HF, true, TSL_BERTENC_CPU_ALL, true);
    void *c = coder_of(m);
    enum { S = TSL_TOKEN_WORD_START, U = TSL_TOKEN_UNKNOWN, X = TSL_TOKEN_SPECIAL };
    static const uint8_t marks[] = { S, 0, 0, S, S, S | U, S | U, S | X, S | X };
    static const uint32_t ids[] = { 2, 3, 4, 5, 6, 0, 0, 1, 0 };
    (void)state;
    for (unsigned want = TSL_WANT_MARKS; want <= 3; want++) {
        struct tsl_tokens out;
        tsl_tokens_init(&out, want);
        encode(c, slice("Unaffable,\xe4\xb8\xad\xe5\x9b\xbd no[MASK][UNK]"), &out);
        assert_int_equal(out.n, sizeof marks);
        assert_memory_equal(out.marks, marks, sizeof marks);
        assert_memory_equal(out.ids, ids, sizeof ids);
        tsl_tokens_fini(&out);
    }
    uint64_t invalid = 0, unknown = 0;
    engine->counts(c, &invalid, &unknown);
    assert_true(invalid == 0 && unknown == 4);
    engine->coder_destroy(c);
    engine->model_destroy(m);
    tsl_vocab_destroy(v);
}

static void of_two_specials_the_leftmost_and_then_the_longest_is_taken(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = vocab_of_lines(slice("[UNK]\na\nb\n"));
    const struct tsl_bertenc_special s[] = { { slice("<x"), 10 },
                                             { slice("<x y>"), 11 },
                                             { slice("x y> a"), 12 },
                                             { slice("A"), 13 } };
    const struct tsl_bertenc_opts o = {
        .norm = { .clean_text = true, .lowercase = true, .strip_accents = true },
        .unk = 0,
        .specials = s,
        .nspecials = 4,
    };
    struct tsl_bertenc_model *m = tsl_bertenc_model_create(v, &o, &err);
    assert_non_null(m);
    void *c = coder_of(m);
    struct tsl_tokens out;
    struct gen g = { 1 };
    static const uint32_t want[] = { 1, 11, 1, 10, 2, 13, 12, 1 };
    struct tsl_slice text = slice("a<x y> a <x b A x y> a a");
    (void)state;
    for (int i = 0; i < 50; i++) {
        tsl_tokens_init(&out, i & 1 ? TSL_WANT_SPANS : 0);
        if (i < 2)
            encode(c, text, &out);
        else
            encode_in_stretches(c, &g, text, 1 + (size_t)i / 10, &out);
        assert_int_equal(out.n, 8);
        assert_memory_equal(out.ids, want, sizeof want);
        tsl_tokens_fini(&out);
    }
    engine->coder_destroy(c);
    engine->model_destroy(m);
    tsl_vocab_destroy(v);
}

static void without_a_token_for_it_unknown_text_is_an_error(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = vocab_of_lines(slice("a\nb\n"));
    struct tsl_bertenc_model *m =
        model_of(v, TSL_RULES_HF, true, TSL_BERTENC_CPU_ALL, true);
    void *c = coder_of(m);
    struct tsl_tokens out;
    size_t used;
    (void)state;
    tsl_tokens_init(&out, 0);
    encode(c, slice("a b"), &out);
    assert_int_equal(out.n, 2);
    assert_err(engine->encode(c, slice("a x"), true, true, &used, &out, &err),
               TSL_EFORMAT, &err, "byte 2");
    tsl_tokens_fini(&out);
    engine->coder_destroy(c);
    engine->model_destroy(m);
    tsl_vocab_destroy(v);
}

static void any_failed_allocation_is_reported(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        struct tsl_vocab *v = vocab_of_lines(slice("[UNK]\na\n##b\n"));
        const struct tsl_bertenc_special s = { slice("[UNK]"), 0 };
        const struct tsl_bertenc_opts o = { .norm = { .lowercase = true,
                                                      .strip_accents = true },
                                            .unk = 0,
                                            .specials = &s,
                                            .nspecials = 1 };
        struct tsl_tokens out;
        int rc = 0;
        tsl_tokens_init(&out, TSL_WANT_SPANS);
        fault_arm(nth, "calloc realloc mmap");
        struct tsl_bertenc_model *m = tsl_bertenc_model_create(v, &o, &err);
        void *c = m ? engine->coder_create(m, MEMORY, &err) : NULL;
        if (c) {
            size_t used;
            rc = engine->encode(c, slice("ab [UNK] \xe1\xad\x84\xe3\x80\xae"), true, true,
                                &used, &out, &err);
        }
        const char *call = fault_disarm();
        if (!call)
            assert_true(c && rc == 0);
        else
            assert_int_equal(err.code, TSL_ENOMEM);
        tsl_tokens_fini(&out);
        engine->coder_destroy(c);
        engine->model_destroy(m);
        tsl_vocab_destroy(v);
        if (!call)
            break;
    }
}

/* ---- a smaller vocabulary ------------------------------------------------------------ */

static void a_vocabulary_loses_what_bert4keras_calls_redundant(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = vocab_of_lines(slice(
        "[PAD]\n[unused1]\n[UNK]\n[CLS]\n\xe4\xb8\xad\n##\xe4\xb8\xad\n,\n##,\nthe\n"
        "##ing\na-b\n##\n#\n\xc2\xa7\nx\xc2\xa7\n"));
    const struct tsl_slice first[] = { slice("[PAD]"), slice("[UNK]"), slice("[CLS]") };
    static const uint32_t want[] = { 0, 2, 3, 4, 6, 8, 9, 11, 12, 13 };
    struct tsl_vocab *small;
    uint32_t *kept;
    (void)state;
    assert_ok(tsl_bertenc_simplify(v, first, 3, &small, &kept, &err), &err);
    assert_int_equal(tsl_vocab_size(small), sizeof want / sizeof *want);
    for (uint32_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct tsl_slice a = tsl_vocab_token(v, want[i]), b = tsl_vocab_token(small, i);
        assert_int_equal(kept[i], want[i]);
        assert_true(a.len == b.len && !memcmp(a.data, b.data, a.len));
    }
    tsl_vocab_destroy(small);
    tsl_mem_free(kept);
    const struct tsl_slice missing = slice("[MASK]"),
                           twice[] = { slice("the"), slice("the") };
    assert_err(tsl_bertenc_simplify(v, &missing, 1, &small, &kept, &err), TSL_EUSAGE,
               &err, "not in the vocabulary");
    assert_err(tsl_bertenc_simplify(v, twice, 2, &small, &kept, &err), TSL_EUSAGE, &err,
               "twice");
    tsl_vocab_destroy(v);
}

static void the_chinese_vocabulary_shrinks_to_the_known_size(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = vocab_of_fixture("bert-base-chinese"), *small;
    const struct tsl_slice first[] = { slice("[PAD]"), slice("[UNK]"), slice("[CLS]"),
                                       slice("[SEP]") };
    uint32_t *kept;
    (void)state;
    assert_ok(tsl_bertenc_simplify(v, first, 4, &small, &kept, &err), &err);
    /* bert4keras' examples say so of this file: keep_tokens has 13584 */
    assert_int_equal(tsl_vocab_size(small), 13584);
    tsl_vocab_destroy(small);
    tsl_mem_free(kept);
    tsl_vocab_destroy(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ids_and_offsets_are_those_of_hugging_face),
        TEST(ids_are_those_of_googles_script_where_asked),
        TEST(marks_that_change_places_do_so_as_the_peers_have_it),
        TEST(bytes_that_are_no_text_are_taken_as_the_web_takes_them),
        TEST(all_ways_give_the_same_tokens),
        TEST(the_table_has_every_code_point_right),
        TEST(words_longer_than_any_buffer_are_unknown_in_little_memory),
        TEST(a_word_has_so_many_characters_at_most),
        TEST(bert4keras_looks_a_long_word_up_as_it_is),
        TEST(marks_tell_starts_unknowns_and_specials),
        TEST(of_two_specials_the_leftmost_and_then_the_longest_is_taken),
        TEST(without_a_token_for_it_unknown_text_is_an_error),
        TEST(any_failed_allocation_is_reported),
        TEST(a_vocabulary_loses_what_bert4keras_calls_redundant),
        TEST(the_chinese_vocabulary_shrinks_to_the_known_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
