/* fuzz_bpetrain - any words and options: the vocabulary that the definition gives.
 * Six bytes of options, then words, a line each; a word's first byte is its count, too. */
#include "support/fuzzmodel.h"
#include "support/slowbpetrain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int by_text(const void *a, const void *b)
{
    const struct tsl_slice *x = a, *y = b;
    int c = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);
    return c ? c : (x->len > y->len) - (x->len < y->len);
}

/* The lines, each once, without empty ones; NUL is no part of a word here. */
static bool read_words(struct tsl_slice text, struct tsl_wordlist *list)
{
    struct tsl_slice word[200];
    struct tsl_wordlist_maker m = { 0 };
    size_t n = 0;
    while (text.len && n < 200) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t)(end - text.data) : text.len;
        if (len)
            word[n++] = (struct tsl_slice){ text.data, len };
        if (len > SLOW_SYMBOLS || memchr(text.data, 0, len))
            return false;
        text.data += len + (end != NULL);
        text.len -= len + (end != NULL);
    }
    qsort(word, n, sizeof *word, by_text);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || by_text(&word[i - 1], &word[i]) != 0)
            must(tsl_wordlist_put(&m, word[i], word[i].data[0] % 16 + 1, NULL) == 0);
    tsl_wordlist_finish(&m, list);
    return true;
}

/* What the definition leaves out: a token that was there already was made again. */
static bool has_shared(const struct slow_train *s)
{
    for (size_t i = 1; i < s->nmerges; i++)
        if (s->merge[i].id <= s->merge[i - 1].id)
            return true;
    return s->nmerges && s->merge[0].id + s->nmerges != s->ntokens;
}

static void compare(const struct tsl_bpetrain *t, const struct slow_train *s)
{
    size_t first = s->nspecials, alphabet = s->nalphabet;
    must(t->n == s->ntokens && t->nmerges == s->nmerges);
    for (size_t i = 0; i < s->ntokens; i++) {
        size_t id = i;
        if (s->o->ties == TSL_BPETRAIN_SPM && i >= first)
            id = i < first + alphabet ? i + s->ntokens - first - alphabet : i - alphabet;
        struct tsl_slice x = tsl_bpetrain_token(t, id);
        must(x.len == s->token[i].len && memcmp(x.data, s->token[i].text, x.len) == 0);
    }
    for (size_t i = 0; i < s->nmerges; i++)
        must(t->merges[i].count == s->merge[i].count);
}

static struct tsl_bpetrain_opts read_opts(const uint8_t *data, struct tsl_piecerule *rule)
{
    struct tsl_bpetrain_opts o = tsl_bpetrain_defaults();
    o.size = data[0];
    o.ties = data[1] & 1 ? TSL_BPETRAIN_SPM : TSL_BPETRAIN_HF;
    o.symbols = (enum tsl_bpetrain_symbols)(data[1] >> 1 & 3);
    if (o.symbols > TSL_BPETRAIN_LETTERS)
        o.symbols = TSL_BPETRAIN_CHARS;
    o.score = data[1] & 8 ? TSL_BPETRAIN_LIKELIHOOD : TSL_BPETRAIN_COUNT;
    o.prefix = fuzz_str(data[1] & 16 ? "##" : "");
    o.suffix = fuzz_str(data[1] & 32 ? "</w>" : "");
    o.min_frequency = data[2] & 15;
    o.max_token_length = data[2] >> 4;
    o.alphabet_limit = data[3] & 15;
    o.coverage = 1 - (data[3] >> 4) / 40.0;
    rule->max_chars = 1 + (data[4] & 15);
    rule->split_by_unicode_script = data[4] & 16;
    rule->split_digits = data[4] & 32;
    rule->split_by_whitespace = data[4] & 64;
    o.rule = data[4] & 128 ? rule : NULL;
    o.memory = data[5] == 1 ? 1 << 16 : 0;
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_wordlist list;
    struct tsl_piecerule rule = { 0 };
    struct tsl_bpetrain *t = NULL;
    if (size < 6 || size > 1000)
        return 0;
    struct tsl_bpetrain_opts o = read_opts(data, &rule);
    if (!read_words((struct tsl_slice){ data + 6, size - 6 }, &list))
        return 0;
    if (tsl_bpetrain_run(&t, &list, &o, NULL) == 0) {
        struct slow_train *s = slow_train(&list, &o);
        if (!has_shared(s))
            compare(t, s);
        slow_train_end(s);
    }
    tsl_bpetrain_destroy(t);
    tsl_wordlist_fini(&list);
    return 0;
}
