#include "text/words.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"
#include "text/tokfile.h"
#include "text/trie.h"

enum { ID_BYTES = 4, LOG_BITS = 24 };

struct word {
    uint64_t cost; /* -log2 of its probability; while reading: its count */
    uint32_t ntokens;
};

struct tsl_words {
    struct tsl_trie trie; /* ids of a word, ID_BYTES each, to its index */
    struct word *word;
    size_t nwords;
    bool counted;
    uint64_t cost_unseen; /* of a word met once */
};

/* ---- reading ------------------------------------------------------------------------- */

/* log2(x) 2^LOG_BITS, rounded down; x > 0.  A bit at a time, by squaring. */
static uint64_t log2_fixed(uint64_t x)
{
    unsigned whole = 63 - (unsigned)__builtin_clzll(x);
    uint64_t log = (uint64_t)whole << LOG_BITS;
    uint64_t m = x << (63 - whole); /* in [1, 2), 63 bits behind the point */
    for (unsigned bit = LOG_BITS; bit-- > 0;) {
        /* the square's upper half, in 32-bit parts: [1, 4), 62 bits behind the point */
        uint64_t hi = m >> 32, lo = m & UINT32_MAX;
        uint64_t middle = hi * lo;
        uint64_t carry = ((middle & UINT32_MAX) * 2 + (lo * lo >> 32)) >> 32;
        uint64_t square = hi * hi + (middle >> 32) * 2 + carry;
        if (square >> 63) {
            log |= UINT64_C(1) << bit;
            m = square;
        } else {
            m = square << 1;
        }
    }
    return log;
}

/* What one reading of a list grows. */
struct reading {
    uint8_t *bytes; /* the words' ids */
    size_t len, cap;
    struct word *word;
    size_t nwords, words_cap;
    uint64_t total;
};

static bool parse_count(struct tsl_slice s, uint64_t *count)
{
    uint64_t n = 0;
    if (!s.len)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9' || __builtin_mul_overflow(n, 10U, &n) ||
            __builtin_add_overflow(n, (uint64_t)(s.data[i] - '0'), &n))
            return false;
    }
    *count = n;
    return true;
}

/* A word's tokens, which stand in tokens[from, n). */
static int add_word(struct reading *r, const struct tsl_tokens *t, uint64_t count,
                    struct tsl_err *err)
{
    bool starts = t->n > 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->marks[i] & (TSL_TOKEN_UNKNOWN | TSL_TOKEN_SPECIAL))
            starts = false;
    if (!starts || !(t->marks[0] & TSL_TOKEN_WORD_START) || count == 0)
        return 0;
    if (__builtin_add_overflow(r->total, count, &r->total))
        return tsl_err_set(err, TSL_EFORMAT, "the counts add up to more than %" PRIu64,
                           UINT64_MAX);
    int rc = tsl_mem_grow(&r->word, &r->words_cap, r->nwords + 1, sizeof *r->word,
                          "a word list", err);
    if (rc == 0)
        rc = tsl_mem_grow(&r->bytes, &r->cap, r->len + t->n * ID_BYTES, 1, "a word list",
                          err);
    if (rc < 0)
        return rc;
    r->word[r->nwords++] = (struct word){ .cost = count, .ntokens = (uint32_t)t->n };
    for (size_t i = 0; i < t->n; i++, r->len += ID_BYTES)
        for (unsigned b = 0; b < ID_BYTES; b++)
            r->bytes[r->len + b] = (uint8_t)(t->ids[i] >> (8 * (ID_BYTES - 1 - b)));
    return 0;
}

static int read_lines(struct tsl_words *w, struct reading *r, struct tsl_slice text,
                      const char *name, const struct tsl_engine *e, void *coder,
                      struct tsl_tokens *t, struct tsl_err *err)
{
    const uint8_t *p = text.data, *end = text.data + text.len;
    bool any = false;
    for (uint64_t line = 1; p < end; line++) {
        const uint8_t *stop = memchr(p, '\n', (size_t)(end - p));
        stop = stop ? stop : end;
        struct tsl_slice word = { p, (size_t)(stop - p) };
        p = stop + (stop < end);
        if (word.len && word.data[word.len - 1] == '\r')
            word.len--;
        if (!word.len)
            continue;
        if (tsl_tokfile_utf8_end(word) < word.len)
            return tsl_err_set(err, TSL_EFORMAT, "%s: line %" PRIu64 " is not UTF-8",
                               tsl_quote(name).s, line);
        uint64_t count = 1;
        const uint8_t *tab = memchr(word.data, '\t', word.len);
        if (tab) {
            struct tsl_slice digits = { tab + 1,
                                        word.len - (size_t)(tab + 1 - word.data) };
            if (!parse_count(digits, &count))
                return tsl_err_set(err, TSL_EFORMAT,
                                   "%s: line %" PRIu64
                                   ": behind the TAB stands no whole number",
                                   tsl_quote(name).s, line);
            word.len = (size_t)(tab - word.data);
        }
        if (any && w->counted != (tab != NULL))
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: line %" PRIu64
                               " has %s count, but lines before it %s",
                               tsl_quote(name).s, line, tab ? "a" : "no",
                               tab ? "have none" : "have one");
        any = true;
        w->counted = tab != NULL;
        tsl_tokens_reset(t);
        size_t used;
        int rc = e->encode(coder, word, true, true, &used, t, err);
        if (rc == 0)
            rc = add_word(r, t, count, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int build(struct tsl_words *w, struct reading *r, struct tsl_err *err)
{
    struct tsl_slice *keys = tsl_mem_alloc(r->nwords, sizeof *keys, "a word list", err);
    if (!keys)
        return TSL_ENOMEM;
    const uint8_t *p = r->bytes;
    uint64_t all = r->total ? log2_fixed(r->total) : 0;
    w->cost_unseen = all;
    for (size_t i = 0; i < r->nwords; i++) {
        keys[i] = (struct tsl_slice){ p, (size_t)r->word[i].ntokens * ID_BYTES };
        p += keys[i].len;
        r->word[i].cost = all - log2_fixed(r->word[i].cost);
    }
    int rc = tsl_trie_build(&w->trie, keys, NULL, r->nwords, err);
    tsl_mem_free(keys);
    if (rc < 0)
        return rc;
    w->word = r->word;
    w->nwords = r->nwords;
    r->word = NULL; /* handed over */
    return 0;
}

int tsl_words_parse(struct tsl_words **out, struct tsl_slice text, const char *name,
                    const struct tsl_engine *e, void *coder, struct tsl_err *err)
{
    struct reading r = { 0 };
    struct tsl_tokens t;
    tsl_tokens_init(&t, TSL_WANT_MARKS);
    int rc = TSL_ENOMEM;
    struct tsl_words *w = tsl_mem_alloc(1, sizeof *w, "a word list", err);
    if (!w)
        goto out;
    rc = read_lines(w, &r, text, name, e, coder, &t, err);
    if (rc == 0)
        rc = build(w, &r, err);
    if (rc < 0)
        goto out;
    *out = w;
    w = NULL; /* handed over */
out:
    tsl_words_destroy(w);
    tsl_tokens_fini(&t);
    tsl_mem_free(r.bytes);
    tsl_mem_free(r.word);
    return rc;
}

void tsl_words_destroy(struct tsl_words *w)
{
    if (!w)
        return;
    tsl_trie_fini(&w->trie);
    tsl_mem_free(w->word);
    tsl_mem_free(w);
}

size_t tsl_words_count(const struct tsl_words *w)
{
    return w->nwords;
}

void tsl_words_scratch_fini(struct tsl_words_scratch *s)
{
    tsl_mem_free(s->cost);
    tsl_mem_free(s->next);
    *s = (struct tsl_words_scratch){ 0 };
}

/* ---- finding ------------------------------------------------------------------------- */

/* One walk along the tokens from a word's start. */
struct walk {
    const struct tsl_words *w;
    const struct tsl_tokens *t;
    size_t at; /* tokens before it have been walked */
    uint64_t state;
    bool alive;
};

static struct walk walk_from(const struct tsl_words *w, const struct tsl_tokens *t,
                             size_t at)
{
    return (struct walk){ w, t, at, tsl_trie_root(&w->trie), true };
}

/* The next word of the list that begins where the walk did and ends before w->at: its index;
 * TSL_TRIE_NONE: no more.  The walk is alive after that if the tokens ended first. */
static int64_t walk_on(struct walk *k)
{
    while (k->alive && k->at < k->t->n) {
        uint32_t id = k->t->ids[k->at];
        for (unsigned b = 0; k->alive && b < ID_BYTES; b++)
            k->alive = tsl_trie_step(&k->w->trie, &k->state,
                                     (uint8_t)(id >> (8 * (ID_BYTES - 1 - b))));
        if (!k->alive)
            break;
        k->at++;
        int64_t found = tsl_trie_value(&k->w->trie, k->state);
        /* A word ends where the next one starts.  At the end of the tokens so far, that is
         * not known yet; the caller sees to it. */
        if (found >= 0 &&
            (k->at == k->t->n || (k->t->marks[k->at] & TSL_TOKEN_WORD_START)))
            return found;
        if (tsl_trie_is_leaf(k->state))
            k->alive = false;
    }
    return TSL_TRIE_NONE;
}

static size_t next_start(const struct tsl_tokens *t, size_t at)
{
    for (at++; at < t->n && !(t->marks[at] & TSL_TOKEN_WORD_START);)
        at++;
    return at;
}

static void join(struct tsl_tokens *t, size_t from, size_t to)
{
    for (size_t i = from + 1; i < to; i++)
        t->marks[i] &= (uint8_t)~TSL_TOKEN_WORD_START;
}

static size_t mark_longest(const struct tsl_words *w, struct tsl_tokens *t, size_t at,
                           bool last)
{
    while (at < t->n) {
        struct walk k = walk_from(w, t, at);
        size_t best = at;
        while (walk_on(&k) >= 0)
            best = k.at;
        /* Alive, or ended by what may not be its end: what follows decides. */
        if (!last && (k.alive || best == t->n))
            return at;
        size_t next = next_start(t, at);
        if (!last && next == t->n)
            return at;
        if (best > next) {
            join(t, at, best);
            next = best;
        }
        at = next;
    }
    return at;
}

/* Words overlap in [from, to) and nowhere at its ends: the cheapest path through it. */
static int mark_path(const struct tsl_words *w, struct tsl_words_scratch *s,
                     struct tsl_tokens *t, size_t from, size_t to, struct tsl_err *err)
{
    size_t n = to - from;
    int rc = tsl_mem_grow(&s->cost, &s->cost_cap, n + 1, sizeof *s->cost, "words", err);
    if (rc == 0)
        rc = tsl_mem_grow(&s->next, &s->next_cap, n + 1, sizeof *s->next, "words", err);
    if (rc < 0)
        return rc;
    s->cost[n] = 0;
    for (size_t at = n; at-- > 0;) {
        if (at && !(t->marks[from + at] & TSL_TOKEN_WORD_START))
            continue;
        struct walk k = walk_from(w, t, from + at);
        size_t single = next_start(t, from + at) - from, best = single;
        uint64_t cost = w->cost_unseen + s->cost[single];
        for (int64_t found; (found = walk_on(&k)) >= 0;) {
            size_t end = k.at - from;
            if (end > n)
                break;
            uint64_t c = w->word[found].cost + s->cost[end];
            if (c <= cost || end == single) {
                cost = c;
                best = end;
            }
        }
        s->cost[at] = cost;
        s->next[at] = (uint32_t)best;
    }
    for (size_t at = 0; at < n; at = s->next[at])
        join(t, from + at, from + s->next[at]);
    return 0;
}

static int mark_probable(const struct tsl_words *w, struct tsl_words_scratch *s,
                         struct tsl_tokens *t, size_t from, bool last, size_t *done,
                         struct tsl_err *err)
{
    size_t begin = from, reach = from;
    for (size_t at = from; at < t->n;) {
        if (at == reach && at > begin) {
            int rc = mark_path(w, s, t, begin, at, err);
            if (rc < 0)
                return rc;
            begin = at;
        }
        struct walk k = walk_from(w, t, at);
        size_t next = next_start(t, at), end = next;
        while (walk_on(&k) >= 0)
            end = k.at > end ? k.at : end;
        if (!last && (k.alive || end == t->n)) {
            *done = begin;
            return 0;
        }
        reach = end > reach ? end : reach;
        at = next;
    }
    *done = t->n;
    return begin < t->n ? mark_path(w, s, t, begin, t->n, err) : 0;
}

int tsl_words_mark(const struct tsl_words *w, struct tsl_words_scratch *s,
                   struct tsl_tokens *t, size_t from, bool last, size_t *done,
                   struct tsl_err *err)
{
    assert(t->want & TSL_WANT_MARKS);
    *done = t->n;
    if (!w->nwords || from >= t->n)
        return 0;
    if (w->counted)
        return mark_probable(w, s, t, from, last, done, err);
    *done = mark_longest(w, t, from, last);
    return 0;
}
