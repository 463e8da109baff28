#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/fault.h"
#include "support/fixture.h"
#include "support/randtext.h"
#include "support/slowbpetrain.h"
#include "text/atext.h"
#include "text/normalizer.h"
#include "text/pretok.h"
#include "text/tokfile_spm.h"

/* ---- words to train on ----------------------------------------------------------------- */

struct bag {
    struct item {
        struct tsl_slice text;
        uint64_t count;
    } * item;
    size_t n, cap;
};

static void bag_add(struct bag *b, struct tsl_slice text, uint64_t count)
{
    if (b->n == b->cap)
        b->item = realloc(b->item, (b->cap = 2 * b->cap + 64) * sizeof *b->item);
    uint8_t *copy = malloc(text.len + 1);
    assert_true(b->item && copy);
    memcpy(copy, text.data, text.len);
    b->item[b->n++] = (struct item){ { copy, text.len }, count };
}

static int by_text(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    size_t n = x->text.len < y->text.len ? x->text.len : y->text.len;
    int c = memcmp(x->text.data, y->text.data, n);
    return c ? c : (x->text.len > y->text.len) - (x->text.len < y->text.len);
}

/* Equal words added, in byte order; the bag is empty then. */
static struct tsl_wordlist bag_list(struct bag *b)
{
    struct tsl_wordlist_maker m = { 0 };
    struct tsl_wordlist list;
    qsort(b->item, b->n, sizeof *b->item, by_text);
    for (size_t i = 0, k; i < b->n; i = k) {
        uint64_t count = 0;
        for (k = i; k < b->n && by_text(&b->item[i], &b->item[k]) == 0; k++)
            count += b->item[k].count;
        assert_ok(tsl_wordlist_put(&m, b->item[i].text, count, NULL), NULL);
    }
    for (size_t i = 0; i < b->n; i++)
        free((void *)(uintptr_t)b->item[i].text.data);
    free(b->item);
    *b = (struct bag){ 0 };
    tsl_wordlist_finish(&m, &list);
    return list;
}

/* "word 3, other 2": words with their counts. */
static struct tsl_wordlist words(const char *text)
{
    struct bag b = { 0 };
    while (*text) {
        size_t n = strcspn(text, " ");
        char *end;
        uint64_t count = strtoull(text + n, &end, 10);
        bag_add(&b, (struct tsl_slice){ (const uint8_t *)text, n }, count);
        text = end + strspn(end, ", ");
    }
    return bag_list(&b);
}

/* The words that Hugging Face's pre-tokenizer makes of the small text, line by line. */
static struct tsl_wordlist pretokenized(struct tsl_pretok *p)
{
    struct tsl_err err = { 0 };
    struct bag b = { 0 };
    struct tsl_atext text, scratch;
    struct tsl_pieces pieces;
    size_t n;
    uint8_t *file = fixture_get("text/train_small.txt", &n);
    assert_non_null(p);
    tsl_atext_init(&text);
    tsl_atext_init(&scratch);
    tsl_pieces_init(&pieces);
    for (size_t at = 0, len; at < n;
         at += len) { /* with the newline, as the peer has it */
        const uint8_t *end = memchr(file + at, '\n', n - at);
        len = end ? (size_t)(end - file) + 1 - at : n - at;
        tsl_atext_reset(&text);
        assert_ok(tsl_atext_set(&text, (struct tsl_slice){ file + at, len }, &err), &err);
        assert_ok(tsl_pieces_set(&pieces, text.len, 0, &err), &err);
        assert_ok(tsl_pretok_apply(p, &text, &scratch, &pieces, &err), &err);
        for (size_t i = 0; i < pieces.n; i++)
            bag_add(&b,
                    (struct tsl_slice){ text.bytes + pieces.p[i].begin,
                                        pieces.p[i].end - pieces.p[i].begin },
                    1);
    }
    tsl_atext_fini(&text);
    tsl_atext_fini(&scratch);
    tsl_pieces_fini(&pieces);
    tsl_pretok_destroy(p);
    free(file);
    return bag_list(&b);
}

/* SentencePiece's words of one line: no blanks in front, behind or twice; U+2581 for each,
 * and in front. */
static void put_line(struct bag *b, const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint8_t word[8000] = "\xe2\x96\x81";
        size_t len = 3;
        while (i < n && s[i] == ' ')
            i++;
        for (; i < n && s[i] != ' '; i++)
            word[len++] = s[i];
        if (len > 3)
            bag_add(b, (struct tsl_slice){ word, len }, 1);
    }
}

static struct tsl_wordlist sentencepiece_words(struct tsl_normalizer *nm)
{
    struct tsl_err err = { 0 };
    struct bag b = { 0 };
    struct tsl_atext text, scratch;
    size_t n;
    uint8_t *file = fixture_get("text/train_small.txt", &n);
    tsl_atext_init(&text);
    tsl_atext_init(&scratch);
    for (size_t at = 0, len; at < n; at += len + 1) {
        const uint8_t *end = memchr(file + at, '\n', n - at);
        len = end ? (size_t)(end - file) - at : n - at;
        tsl_atext_reset(&text);
        assert_ok(tsl_atext_set(&text, (struct tsl_slice){ file + at, len }, &err), &err);
        if (nm)
            assert_ok(tsl_normalizer_apply(nm, &text, &scratch, &err), &err);
        if (len <= 4192)
            put_line(&b, text.bytes, text.len);
    }
    tsl_atext_fini(&text);
    tsl_atext_fini(&scratch);
    free(file);
    return bag_list(&b);
}

/* ---- peers ----------------------------------------------------------------------------- */

static bool is(struct tsl_slice a, struct tsl_slice b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static struct tsl_slice text_of(const struct tsl_jsonval *v)
{
    struct tsl_slice s;
    assert_true(tsl_jsonread_str(v, &s));
    return s;
}

static void compare_with_hugging_face(const char *name, struct tsl_wordlist *list)
{
    struct tsl_err err = { 0 };
    struct tsl_bpetrain_opts o = tsl_bpetrain_defaults();
    struct tsl_bpetrain *t;
    size_t n;
    uint8_t *file = fixture_get(name, &n);
    struct tsl_jsonread *doc;
    assert_ok(tsl_jsonread_parse(&doc, (struct tsl_slice){ file, n }, name, &err), &err);
    const struct tsl_jsonval *json = tsl_jsonread_root(doc);
    assert_ok(tsl_bpetrain_run(&t, list, &o, &err), &err);
    const struct tsl_jsonval *alphabet = tsl_jsonread_get(json, "alphabet");
    const struct tsl_jsonval *merges = tsl_jsonread_get(json, "merges");
    assert_int_equal(t->n, fixture_int(json, "vocab_size_full"));
    assert_int_equal(t->nmerges, fixture_int(json, "merges_full"));
    for (size_t i = 0; i < tsl_jsonread_size(alphabet); i++)
        assert_true(is(tsl_bpetrain_token(t, i), text_of(tsl_jsonread_at(alphabet, i))));
    for (size_t i = 0; i < tsl_jsonread_size(merges); i++) {
        const struct tsl_jsonval *m = tsl_jsonread_at(merges, i);
        struct tsl_slice left = tsl_bpetrain_token(t, t->merges[i].left);
        assert_true(is(left, text_of(tsl_jsonread_at(m, 0))));
        struct tsl_slice right = tsl_bpetrain_token(t, t->merges[i].right);
        assert_true(is(right, text_of(tsl_jsonread_at(m, 1))));
    }
    assert_int_equal(tsl_jsonread_size(merges), 2000);
    tsl_bpetrain_destroy(t);
    tsl_jsonread_destroy(doc);
    tsl_wordlist_fini(list);
    free(file);
}

static void hugging_faces_byte_level_merges_are_ours(void **state)
{
    (void)state;
    struct tsl_wordlist list =
        pretokenized(tsl_pretok_create_byte_level(false, true, NULL));
    compare_with_hugging_face("tokenizers/train-reference/hf-bpe-bytelevel.json", &list);
}

static void hugging_faces_merges_of_characters_are_ours(void **state)
{
    (void)state;
    struct tsl_wordlist list = pretokenized(tsl_pretok_create_whitespace(NULL));
    compare_with_hugging_face("tokenizers/train-reference/hf-bpe-whitespace.json", &list);
}

static void compare_with_sentencepiece(const char *name, struct tsl_wordlist *list,
                                       size_t size, double coverage)
{
    struct tsl_err err = { 0 };
    const struct tsl_slice specials[] = { str("<unk>"), str("<s>"), str("</s>") };
    struct tsl_piecerule rule = tsl_piecerule_defaults();
    struct tsl_bpetrain_opts o = tsl_bpetrain_defaults();
    struct tsl_bpetrain *t;
    size_t n, id = 0;
    o.size = size;
    o.ties = TSL_BPETRAIN_SPM;
    o.coverage = coverage;
    o.specials = specials;
    o.nspecials = 3;
    o.rule = &rule;
    uint8_t *file = fixture_get(name, &n);
    assert_ok(tsl_bpetrain_run(&t, list, &o, &err), &err);
    for (size_t at = 0; at < n; id++) { /* a piece, a TAB, its score */
        const uint8_t *tab = memchr(file + at, '\t', n - at);
        const uint8_t *end = memchr(file + at, '\n', n - at);
        assert_true(tab && end && tab < end && id < t->n);
        struct tsl_slice piece = { file + at, (size_t)(tab - file) - at };
        assert_true(is(tsl_bpetrain_token(t, id), piece));
        at = (size_t)(end - file) + 1;
    }
    assert_int_equal(t->n, id);
    tsl_bpetrain_destroy(t);
    tsl_wordlist_fini(list);
    free(file);
}

static void sentencepieces_vocabularies_are_ours(void **state)
{
    (void)state;
    struct tsl_wordlist list = sentencepiece_words(NULL);
    compare_with_sentencepiece("tokenizers/train-reference/spm-bpe-identity.vocab", &list,
                               2000, 1);
    list = sentencepiece_words(NULL);
    compare_with_sentencepiece("tokenizers/train-reference/spm-char-identity.vocab",
                               &list, 1281, 1);
}

static void sentencepieces_coverage_is_ours(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    size_t n;
    uint8_t *file = fixture_get("tokenizers/sp-bpe-en-10k/sp-bpe-en-10k.model", &n);
    struct tsl_tokfile_spm *model; /* has nmt_nfkc */
    assert_ok(tsl_tokfile_spm_read(&model, (struct tsl_slice){ file, n }, "model", &err),
              &err);
    struct tsl_normalizer *nm =
        tsl_normalizer_create_precompiled(model->options.normalizer.charsmap, &err);
    assert_non_null(nm);
    struct tsl_wordlist list = sentencepiece_words(nm);
    compare_with_sentencepiece("tokenizers/train-reference/spm-bpe-nmt_nfkc.vocab", &list,
                               2500, 0.9995);
    tsl_normalizer_destroy(nm);
    tsl_tokfile_spm_destroy(model);
    free(file);
}

/* ---- the definition -------------------------------------------------------------------- */

/* Words of few characters, many of them repeated. */
static struct tsl_wordlist random_words(struct rnd *r)
{
    struct bag b = { 0 };
    size_t alphabet = 1 + rnd_below(r, 8), longest = rnd_once(r, 5) ? 90 : 12;
    for (size_t n = 1 + rnd_below(r, 12); n > 0; n--) {
        char text[400] = "";
        rnd_text(r, text, longest, alphabet);
        if (rnd_once(r, 3)) /* a run */
            for (size_t k = rnd_below(r, 80); k > 0 && strlen(text) < 300; k--)
                strcat(text, "a");
        if (rnd_once(r, 8))
            strcat(text, "\t");
        bag_add(&b, str(text), 1 + rnd_below(r, 5));
    }
    return bag_list(&b);
}

static struct tsl_bpetrain_opts random_opts(struct rnd *r, struct tsl_piecerule *rule)
{
    static const struct tsl_slice specials[] = { { (const uint8_t *)"<s>", 3 },
                                                 { (const uint8_t *)"aa", 2 },
                                                 { (const uint8_t *)"<s>", 3 },
                                                 { (const uint8_t *)"bc", 2 } };
    struct tsl_bpetrain_opts o = tsl_bpetrain_defaults();
    o.size = rnd_once(r, 3) ? 1000 : 4 + rnd_below(r, 40);
    o.min_frequency = rnd_once(r, 2) ? 0 : rnd_below(r, 6);
    o.ties = rnd_once(r, 2) ? TSL_BPETRAIN_SPM : TSL_BPETRAIN_HF;
    o.symbols = rnd_once(r, 3)   ? TSL_BPETRAIN_BYTES
                : rnd_once(r, 2) ? TSL_BPETRAIN_LETTERS
                                 : TSL_BPETRAIN_CHARS;
    o.score = rnd_once(r, 3) ? TSL_BPETRAIN_LIKELIHOOD : TSL_BPETRAIN_COUNT;
    o.specials = specials;
    o.nspecials = rnd_once(r, 2) ? rnd_below(r, 5) : 0;
    if (o.symbols == TSL_BPETRAIN_CHARS && rnd_once(r, 3))
        o.initial_alphabet = str("éza");
    o.alphabet_limit = rnd_once(r, 3) ? 1 + rnd_below(r, 5) : 0;
    o.coverage = rnd_once(r, 3) ? 0.9 : 1;
    if (o.ties == TSL_BPETRAIN_HF && rnd_once(r, 2))
        o.prefix = str("##");
    if (o.ties == TSL_BPETRAIN_HF && rnd_once(r, 3))
        o.suffix = str("</w>");
    o.max_token_length = rnd_once(r, 3) ? 1 + rnd_below(r, 9) : 0;
    *rule = (struct tsl_piecerule){ .max_chars = 1 + rnd_below(r, 20),
                                    .split_by_unicode_script = rnd_once(r, 2) };
    if (o.symbols == TSL_BPETRAIN_CHARS && !o.prefix.len && !o.suffix.len &&
        rnd_once(r, 2))
        o.rule = rule;
    return o;
}

/* The id of the slow trainer's token where the alphabet goes behind the merges. */
static size_t moved(const struct slow_train *s, size_t id)
{
    size_t first = s->nspecials, alphabet = s->nalphabet;
    if (s->o->ties != TSL_BPETRAIN_SPM || id < first)
        return id;
    return id < first + alphabet ? id + s->ntokens - first - alphabet : id - alphabet;
}

static void assert_like_slow(const struct tsl_bpetrain *t, const struct slow_train *s)
{
    assert_int_equal(t->n, s->ntokens);
    assert_int_equal(t->nspecials, s->nspecials);
    for (size_t i = 0; i < s->ntokens; i++) {
        struct tsl_slice x = tsl_bpetrain_token(t, moved(s, i));
        assert_true(is(
            x, (struct tsl_slice){ (const uint8_t *)s->token[i].text, s->token[i].len }));
        if (i >= s->nspecials)
            assert_int_equal(t->count[moved(s, i)], s->token[i].count);
    }
    assert_int_equal(t->nmerges, s->nmerges);
    for (size_t i = 0; i < s->nmerges; i++) {
        assert_int_equal(t->merges[i].left, moved(s, s->merge[i].left));
        assert_int_equal(t->merges[i].right, moved(s, s->merge[i].right));
        assert_int_equal(t->merges[i].id, moved(s, s->merge[i].id));
        assert_int_equal(t->merges[i].count, s->merge[i].count);
    }
}

static void vocabularies_are_what_the_definition_says(void **state)
{
    (void)state;
    struct rnd r = rnd_make(1, "bpetrain");
    for (int i = 0; i < 400; i++) {
        struct tsl_err err = { 0 };
        struct tsl_piecerule rule;
        struct tsl_wordlist list = random_words(&r);
        struct tsl_bpetrain_opts o = random_opts(&r, &rule);
        struct tsl_bpetrain *t = NULL;
        int rc = tsl_bpetrain_run(&t, &list, &o, &err);
        if (rc < 0) {
            assert_int_equal(o.ties, TSL_BPETRAIN_SPM);
            assert_err(rc, TSL_EUSAGE, &err, "too small");
        } else {
            struct slow_train *s = slow_train(&list, &o);
            assert_like_slow(t, s);
            slow_train_end(s);
        }
        tsl_bpetrain_destroy(t);
        tsl_wordlist_fini(&list);
    }
}

/* ---- single promises ------------------------------------------------------------------- */

/* "left right, ..." of all merges. */
static const char *merges_of(const struct tsl_bpetrain *t)
{
    static char out[2000];
    char *at = out;
    *at = 0;
    for (size_t i = 0; i < t->nmerges; i++) {
        struct tsl_slice a = tsl_bpetrain_token(t, t->merges[i].left);
        struct tsl_slice b = tsl_bpetrain_token(t, t->merges[i].right);
        at += sprintf(at, "%s%.*s %.*s", i ? ", " : "", (int)a.len, (const char *)a.data,
                      (int)b.len, (const char *)b.data);
    }
    return out;
}

static void assert_merges(const char *text, const struct tsl_bpetrain_opts *o,
                          const char *expected)
{
    struct tsl_err err = { 0 };
    struct tsl_wordlist list = words(text);
    struct tsl_bpetrain *t;
    assert_ok(tsl_bpetrain_run(&t, &list, o, &err), &err);
    assert_string_equal(merges_of(t), expected);
    tsl_bpetrain_destroy(t);
    tsl_wordlist_fini(&list);
}

static void ties_go_by_ids_or_by_bytes(void **state)
{
    (void)state;
    struct tsl_bpetrain_opts o = tsl_bpetrain_defaults();
    assert_merges("xyz 2, ab 2, abc 1", &o, "a b, x y, xy z, ab c");
    o.ties = TSL_BPETRAIN_SPM;
    assert_merges("xyz 2, ab 2, abc 1", &o, "a b, x y, xy z, ab c");
    assert_merges("yza 1, bc 1", &o, "b c, y z, yz a");
}

static void neighbours_of_a_lost_character_meet_or_do_not(void **state)
{
    (void)state;
    struct tsl_bpetrain_opts o = tsl_bpetrain_defaults();
    o.alphabet_limit = 2;
    assert_merges("axb 2, ab 1", &o, "a b");
    o.ties = TSL_BPETRAIN_SPM;
    o.min_frequency = 2;
    assert_merges("axb 2, ab 1", &o, "");
}

static void likelihood_prefers_what_is_rare_elsewhere(void **state)
{
    (void)state;
    struct tsl_bpetrain_opts o = tsl_bpetrain_defaults();
    o.size = 5;
    assert_merges("ab 5, ac 5, bc 5, qu 3", &o, "");
    o.size = 6;
    assert_merges("ab 5, ac 5, bc 5, qu 3", &o, "a b");
    o.score = TSL_BPETRAIN_LIKELIHOOD;
    assert_merges("ab 5, ac 5, bc 5, qu 3", &o, "q u");
}

static void byte_pieces_and_specials_come_first(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    const struct tsl_slice specials[] = { str("<unk>"), str("<s>"), str("<unk>") };
    struct tsl_bpetrain_opts o = tsl_bpetrain_defaults();
    struct tsl_wordlist list = words("ab 2");
    struct tsl_bpetrain *t;
    o.ties = TSL_BPETRAIN_SPM;
    o.specials = specials;
    o.nspecials = 3;
    o.byte_pieces = true;
    assert_ok(tsl_bpetrain_run(&t, &list, &o, &err), &err);
    assert_int_equal(t->n, 2 + 256 + 1 + 2);
    assert_int_equal(t->nspecials, 258);
    assert_true(is(tsl_bpetrain_token(t, 1), str("<s>")));
    assert_true(is(tsl_bpetrain_token(t, 2), str("<0x00>")));
    assert_true(is(tsl_bpetrain_token(t, 257), str("<0xFF>")));
    assert_true(is(tsl_bpetrain_token(t, 258), str("ab")));
    assert_true(is(tsl_bpetrain_token(t, 260), str("b")));
    tsl_bpetrain_destroy(t);
    tsl_wordlist_fini(&list);
}

static void all_bytes_are_an_alphabet(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_bpetrain_opts o = tsl_bpetrain_defaults();
    struct tsl_wordlist list = words("ab 2");
    struct tsl_bpetrain *t;
    o.all_bytes = true;
    o.symbols = TSL_BPETRAIN_BYTES;
    assert_ok(tsl_bpetrain_run(&t, &list, &o, &err), &err);
    assert_int_equal(t->n, 257);
    assert_true(tsl_bpetrain_token(t, 255).len == 1);
    assert_int_equal(tsl_bpetrain_token(t, 255).data[0], 255);
    tsl_bpetrain_destroy(t);
    o.symbols = TSL_BPETRAIN_LETTERS;
    assert_ok(tsl_bpetrain_run(&t, &list, &o, &err), &err);
    assert_int_equal(t->n, 257);
    assert_true(is(tsl_bpetrain_token(t, 0), str("!")));
    assert_true(is(tsl_bpetrain_token(t, 188), str("Ā"))); /* NUL: the first code point */
    assert_true(is(tsl_bpetrain_token(t, 256), str("ab")));
    tsl_bpetrain_destroy(t);
    tsl_wordlist_fini(&list);
}

/* A million equal letters: quadratic time would be minutes. */
static void words_may_be_of_any_length(void **state)
{
    (void)state;
    enum { LEN = 1000000 };
    struct tsl_err err = { 0 };
    struct tsl_bpetrain_opts o = tsl_bpetrain_defaults();
    struct tsl_bpetrain *t;
    struct rnd r = rnd_make(2, "long");
    uint8_t *text = malloc(LEN);
    uint64_t end = LEN, count = 1;
    struct tsl_wordlist list = { text, &end, &count, 1 };
    assert_non_null(text);
    memset(text, 'a', LEN);
    assert_ok(tsl_bpetrain_run(&t, &list, &o, &err), &err);
    assert_true(t->nmerges >= 19 && t->nmerges < 40);
    assert_int_equal(t->merges[0].count, LEN - 1);
    assert_true(t->end[t->n - 1] - t->end[t->n - 2] == LEN);
    tsl_bpetrain_destroy(t);
    for (size_t i = 0; i < LEN; i++)
        text[i] = (uint8_t)('a' + rnd_below(&r, 20));
    o.size = 3000;
    assert_ok(tsl_bpetrain_run(&t, &list, &o, &err), &err);
    assert_int_equal(t->n, 3000);
    tsl_bpetrain_destroy(t);
    free(text);
}

static void assert_same(const struct tsl_bpetrain *t, const struct tsl_bpetrain *u)
{
    assert_int_equal(t->n, u->n);
    assert_int_equal(t->nmerges, u->nmerges);
    assert_memory_equal(t->end, u->end, t->n * sizeof *t->end);
    assert_memory_equal(t->bytes, u->bytes, t->end[t->n - 1]);
    assert_memory_equal(t->count, u->count, t->n * sizeof *t->count);
    for (size_t i = 0; i < t->nmerges; i++) {
        assert_int_equal(t->merges[i].left, u->merges[i].left);
        assert_int_equal(t->merges[i].right, u->merges[i].right);
        assert_int_equal(t->merges[i].id, u->merges[i].id);
        assert_int_equal(t->merges[i].count, u->merges[i].count);
    }
}

static void memory_decides_how_many_rounds_there_are_and_no_more(void **state)
{
    (void)state;
    struct tsl_wordlist list = pretokenized(tsl_pretok_create_whitespace(NULL));
    for (int kind = 0; kind < 3; kind++) {
        struct tsl_err err = { 0 };
        struct tsl_bpetrain_opts o = tsl_bpetrain_defaults();
        struct tsl_bpetrain *t, *u;
        o.ties = kind == 1 ? TSL_BPETRAIN_SPM : TSL_BPETRAIN_HF;
        o.max_token_length = kind == 2 ? 6 : 0;
        if (kind == 2)
            o.prefix = str("##");
        o.size = 3000;
        assert_ok(tsl_bpetrain_run(&t, &list, &o, &err), &err);
        assert_int_equal(t->stats.rounds, 1);
        for (o.pairs_max = 10; o.pairs_max < 3000; o.pairs_max *= 5) {
            assert_ok(tsl_bpetrain_run(&u, &list, &o, &err), &err);
            assert_true(u->stats.rounds > 1 || o.pairs_max > 300);
            assert_same(t, u);
            tsl_bpetrain_destroy(u);
        }
        o.pairs_max = 0;
        o.memory = 1 << 20;
        o.nthreads = 3;
        assert_ok(tsl_bpetrain_run(&u, &list, &o, &err), &err);
        assert_true(u->stats.peak_bytes <= o.memory);
        assert_same(t, u);
        tsl_bpetrain_destroy(u);
        o.memory = 64 << 10;
        assert_err(tsl_bpetrain_run(&u, &list, &o, &err), TSL_ENOMEM, &err,
                   "takes more than");
        tsl_bpetrain_destroy(t);
    }
    tsl_wordlist_fini(&list);
}

/* Few letters: the same token comes of different pairs, and Hugging Face's counts of pairs
 * that were merged come to matter. */
static void rounds_end_well_where_a_token_comes_again(void **state)
{
    (void)state;
    struct rnd r = rnd_make(5, "rounds");
    for (int i = 0; i < 200; i++) {
        struct tsl_err err = { 0 };
        struct tsl_wordlist_maker m = { 0 };
        struct tsl_wordlist list;
        struct tsl_bpetrain_opts o = tsl_bpetrain_defaults();
        struct tsl_bpetrain *t, *u;
        char word[64] = { 0 };
        for (int n = 0; n < 60; n++) { /* in byte order: each begins with its number */
            size_t len = (size_t)snprintf(word, 8, "%02d", n);
            size_t end = len + 1 + rnd_below(&r, 24);
            uint64_t letters = 1 + rnd_below(&r, 2);
            for (; len < end; len++)
                word[len] = (char)('a' + rnd_below(&r, letters));
            assert_ok(tsl_wordlist_put(&m, (struct tsl_slice){ (uint8_t *)word, len },
                                       1 + rnd_below(&r, 20), &err),
                      &err);
        }
        tsl_wordlist_finish(&m, &list);
        o.ties = i % 4 == 3 ? TSL_BPETRAIN_SPM : TSL_BPETRAIN_HF;
        o.size = 100 + i;
        assert_ok(tsl_bpetrain_run(&t, &list, &o, &err), &err);
        o.pairs_max = 1 + rnd_below(&r, 20);
        assert_ok(tsl_bpetrain_run(&u, &list, &o, &err), &err);
        assert_same(t, u);
        tsl_bpetrain_destroy(t);
        tsl_bpetrain_destroy(u);
        tsl_wordlist_fini(&list);
    }
}

static void refuse(const struct tsl_bpetrain_opts *o, const char *text, int code,
                   const char *part)
{
    struct tsl_err err = { 0 };
    struct tsl_bpetrain *t = NULL;
    struct tsl_wordlist list = words(text);
    assert_err(tsl_bpetrain_run(&t, &list, o, &err), code, &err, part);
    assert_null(t);
    tsl_wordlist_fini(&list);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct tsl_bpetrain_opts d = tsl_bpetrain_defaults(), o = d;
    struct tsl_piecerule rule = tsl_piecerule_defaults();
    refuse(&d, "a\xff 1, b 1", TSL_EFORMAT, "word 1 is not UTF-8");
    refuse(&d, "ab 4611686018427387904, b 1", TSL_EFORMAT, "2^62");
    o.size = (size_t)1 << 40;
    refuse(&o, "ab 1", TSL_EUSAGE, "too large");
    o = d;
    o.coverage = 0;
    refuse(&o, "ab 1", TSL_EUSAGE, "coverage");
    o = d;
    o.all_bytes = true;
    refuse(&o, "ab 1", TSL_EUSAGE, "characters");
    o = d;
    o.symbols = TSL_BPETRAIN_BYTES;
    o.initial_alphabet = str("a");
    refuse(&o, "ab 1", TSL_EUSAGE, "initial");
    o = d;
    o.initial_alphabet = str("a\xff");
    refuse(&o, "ab 1", TSL_EUSAGE, "not UTF-8");
    o = d;
    o.rule = &rule;
    rule.max_chars = 513;
    refuse(&o, "ab 1", TSL_EUSAGE, "513");
    rule.max_chars = 16;
    o.prefix = str("##");
    refuse(&o, "ab 1", TSL_EUSAGE, "prefix");
    o.rule = NULL;
    o.ties = TSL_BPETRAIN_SPM;
    refuse(&o, "ab 1", TSL_EUSAGE, "prefix");
    o.prefix.len = 0;
    o.size = 1;
    refuse(&o, "ab 1", TSL_EUSAGE, "too small");
}

static void no_words_give_the_specials(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    const struct tsl_slice special = str("<s>");
    struct tsl_wordlist none = { 0 };
    for (int i = 0; i < 4; i++) {
        struct tsl_bpetrain_opts o = tsl_bpetrain_defaults();
        struct tsl_bpetrain *t;
        o.ties = i & 1 ? TSL_BPETRAIN_SPM : TSL_BPETRAIN_HF;
        o.specials = &special;
        o.nspecials = i >> 1;
        o.coverage = 0.9;
        assert_ok(tsl_bpetrain_run(&t, &none, &o, &err), &err);
        assert_int_equal(t->n, o.nspecials);
        assert_int_equal(t->nmerges, 0);
        tsl_bpetrain_destroy(t);
    }
    tsl_bpetrain_destroy(NULL);
}

static void any_failing_allocation_is_told(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        for (unsigned nth = 1;; nth++) {
            struct tsl_err err = { 0 };
            struct tsl_bpetrain_opts o = tsl_bpetrain_defaults();
            struct tsl_bpetrain *t = NULL;
            struct tsl_wordlist list = words("abababab 3, abc 2, xaaaaaaaaaaaay 1");
            o.ties = kind == 1 ? TSL_BPETRAIN_SPM : TSL_BPETRAIN_HF;
            o.score = kind == 2 ? TSL_BPETRAIN_LIKELIHOOD : TSL_BPETRAIN_COUNT;
            if (kind == 0)
                o.prefix = str("##");
            fault_arm(nth, NULL);
            int rc = tsl_bpetrain_run(&t, &list, &o, &err);
            bool failed = fault_disarm() != NULL;
            if (failed)
                assert_err(rc, TSL_ENOMEM, &err, "out of memory");
            else
                assert_ok(rc, &err);
            tsl_bpetrain_destroy(t);
            tsl_wordlist_fini(&list);
            if (!failed)
                break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hugging_faces_byte_level_merges_are_ours),
        TEST(hugging_faces_merges_of_characters_are_ours),
        TEST(sentencepieces_vocabularies_are_ours),
        TEST(sentencepieces_coverage_is_ours),
        TEST(vocabularies_are_what_the_definition_says),
        TEST(ties_go_by_ids_or_by_bytes),
        TEST(neighbours_of_a_lost_character_meet_or_do_not),
        TEST(likelihood_prefers_what_is_rare_elsewhere),
        TEST(byte_pieces_and_specials_come_first),
        TEST(all_bytes_are_an_alphabet),
        TEST(words_may_be_of_any_length),
        TEST(memory_decides_how_many_rounds_there_are_and_no_more),
        TEST(rounds_end_well_where_a_token_comes_again),
        TEST(what_does_not_fit_is_refused),
        TEST(no_words_give_the_specials),
        TEST(any_failing_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
