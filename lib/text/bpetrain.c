#include "text/bpetrain.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/bperounds.h"
#include "text/bytealpha.h"
#include "text/wordstore.h"

enum {
    CODES = 0x110000, /* symbols as words have them: code points, or bytes */
    CHARS_MAX = 512,  /* of a piece under a rule */
    VARIANTS = 4      /* of a symbol: as it is, with prefix, with suffix, with both */
};

#define NONE UINT32_MAX
#define COUNT_MAX (UINT64_C(1) << 62)

/* A symbol as words have it. */
struct code {
    uint32_t cp;
    bool initial;
    uint64_t count;
};

/* One that has prefix or suffix. */
struct variant {
    uint32_t cp, kind;
    uint8_t *text; /* in the run's text buffer */
    size_t len;
};

struct run {
    const struct tsl_wordlist *list; /* or, where this is NULL, */
    const struct tsl_bpetrain_words *source;
    struct tsl_wordstore *kept; /* what came from there: codes, not yet ids */
    bool drained;
    size_t nth; /* of the words, in this pass */
    const struct tsl_bpetrain_opts *o;
    uint64_t *code_count;   /* CODES */
    uint8_t *code_kinds;    /* CODES: bit k: came as variant k */
    uint32_t *id[VARIANTS]; /* CODES each: the id + 1 */
    uint32_t top;           /* no code of the words is as high */
    struct code *codes;
    size_t ncodes, codes_cap;
    uint32_t *word;
    size_t word_cap;

    /* Tokens. */
    uint8_t *bytes;
    uint64_t *end, *count;
    uint32_t *nchars;
    size_t n, nbytes, bytes_cap, end_cap, count_cap, chars_cap;
    uint32_t *slots; /* of a hash table of ids + 1 */
    size_t slots_mask;
    size_t nspecials, nalphabet;

    struct tsl_bpetrain_merge *merges;
    size_t nmerges, merges_cap;
    bool shared; /* a merge gave a token that there was: pairs may come twice */
    struct tsl_bperounds *pairs;
    struct tsl_bpetrain_stats stats;
};

struct tsl_bpetrain_opts tsl_bpetrain_defaults(void)
{
    return (struct tsl_bpetrain_opts){ .size = 30000, .coverage = 1, .nthreads = 1 };
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- tokens ---------------------------------------------------------------------------- */

static struct tsl_slice token(const struct run *r, size_t id)
{
    uint64_t begin = id ? r->end[id - 1] : 0;
    return (struct tsl_slice){ r->bytes + begin, (size_t)(r->end[id] - begin) };
}

static size_t token_place(const struct run *r, struct tsl_slice s)
{
    size_t i = (size_t)tsl_hash64(s.data, s.len, 0) & r->slots_mask;
    for (; r->slots[i]; i = (i + 1) & r->slots_mask) {
        struct tsl_slice t = token(r, r->slots[i] - 1);
        if (t.len == s.len && (s.len == 0 || memcmp(t.data, s.data, s.len) == 0))
            break;
    }
    return i;
}

/* The id, or NONE. */
static uint32_t token_find(const struct run *r, struct tsl_slice s)
{
    return r->slots[token_place(r, s)] - 1; /* 0 - 1 is NONE */
}

static int token_table(struct run *r, size_t size, struct tsl_err *err)
{
    uint32_t *slots = tsl_mem_alloc(size, sizeof *slots, "tokens", err);
    if (!slots)
        return TSL_ENOMEM;
    tsl_mem_free(r->slots);
    r->slots = slots;
    r->slots_mask = size - 1;
    for (size_t id = 0; id < r->n; id++)
        r->slots[token_place(r, token(r, id))] = (uint32_t)id + 1;
    return 0;
}

static size_t count_chars(struct tsl_slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += (s.data[i] & 0xc0) != 0x80;
    return n;
}

/* Room for a token of len bytes behind the others. */
static int token_room(struct run *r, size_t len, struct tsl_err *err)
{
    int rc =
        tsl_mem_grow(&r->bytes, &r->bytes_cap, r->nbytes + len + 1, 1, "tokens", err);
    if (rc == 0)
        rc = tsl_mem_grow(&r->end, &r->end_cap, r->n + 1, sizeof *r->end, "tokens", err);
    if (rc == 0)
        rc = tsl_mem_grow(&r->count, &r->count_cap, r->n + 1, sizeof *r->count, "tokens",
                          err);
    if (rc == 0)
        rc = tsl_mem_grow(&r->nchars, &r->chars_cap, r->n + 1, sizeof *r->nchars,
                          "tokens", err);
    if (rc == 0 && (r->n + 1) * 2 > r->slots_mask)
        rc = token_table(r, 2 * (r->slots_mask + 1), err);
    return rc;
}

/* The id of the token whose bytes stand behind the others, where there is room; it is added
 * if need be. */
static uint32_t token_take(struct run *r, size_t len, uint64_t count)
{
    struct tsl_slice s = { r->bytes + r->nbytes, len };
    uint32_t id = token_find(r, s);
    if (id != NONE)
        return id;
    r->slots[token_place(r, s)] = (uint32_t)r->n + 1;
    r->nbytes += len;
    r->end[r->n] = r->nbytes;
    r->count[r->n] = count;
    r->nchars[r->n] = (uint32_t)count_chars(s);
    return (uint32_t)r->n++;
}

/* The id of a token, which is added if need be. */
static int token_get(struct run *r, struct tsl_slice s, uint32_t *id, struct tsl_err *err)
{
    int rc = token_room(r, s.len, err);
    if (rc < 0)
        return rc;
    if (s.len)
        memcpy(r->bytes + r->nbytes, s.data, s.len);
    *id = token_take(r, s.len, 0);
    return 0;
}

/* ---- symbols of words ------------------------------------------------------------------ */

/* The symbol at p < end, and its bytes; word: its number, for messages. */
static inline int next_code(const struct run *r, const uint8_t *p, const uint8_t *end,
                            uint32_t *cp, size_t *len, size_t word, struct tsl_err *err)
{
    if (r->o->symbols == TSL_BPETRAIN_CHARS) {
        *len = tsl_utf8_decode(p, end, cp);
        if (*cp == TSL_UTF8_BAD)
            return tsl_err_set(
                err, TSL_EFORMAT,
                "counted words: word %zu is not UTF-8; its symbols cannot be "
                "characters",
                word + 1);
        return 0;
    }
    *len = 1;
    *cp = r->o->symbols == TSL_BPETRAIN_BYTES ? *p : tsl_bytealpha_char(*p);
    return 0;
}

/* How a symbol is spelled; returns its bytes. */
static size_t spell(const struct run *r, uint32_t cp, uint8_t out[4])
{
    if (r->o->symbols != TSL_BPETRAIN_BYTES)
        return tsl_utf8_encode(out, cp);
    out[0] = (uint8_t)cp;
    return 1;
}

/* Symbols that are never in an alphabet. */
static bool is_reserved(const struct run *r, uint32_t cp)
{
    return r->o->ties == TSL_BPETRAIN_SPM && r->o->symbols == TSL_BPETRAIN_CHARS &&
           tsl_piecerule_reserved(cp);
}

/* A pass over all words begins.  last: there will be no other. */
static void first_word(struct run *r, bool last)
{
    r->nth = 0;
    if (r->kept && r->drained)
        tsl_wordstore_rewind(r->kept, last);
}

static int decode_word(struct run *r, struct tsl_slice s, size_t *n, struct tsl_err *err)
{
    int rc =
        tsl_mem_grow(&r->word, &r->word_cap, s.len + 1, sizeof *r->word, "a word", err);
    *n = 0;
    for (size_t i = 0, len; i < s.len && rc == 0; i += len) {
        uint32_t cp = 0;
        rc = next_code(r, s.data + i, s.data + s.len, &cp, &len, r->nth, err);
        r->word[(*n)++] = cp;
    }
    return rc;
}

/* 1 and the next word's codes, to be changed at will; 0 behind the last. */
static int next_word(struct run *r, uint32_t **word, size_t *n, uint64_t *count,
                     struct tsl_err *err)
{
    struct tsl_slice s;
    int rc;
    if (r->drained)
        return tsl_wordstore_next(r->kept, word, n, count, err);
    if (r->list) {
        if (r->nth == r->list->n)
            return 0;
        s = tsl_wordlist_at(r->list, r->nth);
        *count = r->list->count[r->nth];
    } else {
        rc = r->source->next(r->source->ctx, &s, count, err);
        if (rc <= 0) {
            r->drained = true;
            return rc < 0 ? rc : tsl_wordstore_turn(r->kept, err);
        }
    }
    rc = decode_word(r, s, n, err);
    if (rc == 0 && r->kept)
        rc = tsl_wordstore_put(r->kept, r->word, *n, *count, err);
    *word = r->word;
    r->nth++;
    return rc < 0 ? rc : 1;
}

static int count_codes(struct run *r, struct tsl_err *err)
{
    uint64_t total = 0, count;
    uint32_t *word;
    size_t n;
    int rc;
    first_word(r, false);
    while ((rc = next_word(r, &word, &n, &count, err)) > 0) {
        for (size_t i = 0; i < n; i++) {
            uint32_t cp = word[i];
            if (is_reserved(r, cp))
                continue;
            if (count >= COUNT_MAX - total)
                return tsl_err_set(err, TSL_EFORMAT,
                                   "counted words: counts up to word %zu make 2^62 "
                                   "symbols or more",
                                   r->nth);
            total += count;
            r->code_count[cp] += count;
            if (cp >= r->top)
                r->top = cp + 1;
        }
    }
    r->stats.symbols_all = total;
    return rc;
}

static int put_code(struct run *r, uint32_t cp, bool initial, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&r->codes, &r->codes_cap, r->ncodes + 1, sizeof *r->codes,
                          "alphabet", err);
    if (rc == 0)
        r->codes[r->ncodes++] = (struct code){ cp, initial, r->code_count[cp] };
    return rc;
}

static int initial_codes(struct run *r, struct tsl_err *err)
{
    const struct tsl_bpetrain_opts *o = r->o;
    int rc = 0;
    for (unsigned b = 0; o->all_bytes && b < 256 && rc == 0; b++)
        rc = put_code(
            r, o->symbols == TSL_BPETRAIN_LETTERS ? tsl_bytealpha_char((uint8_t)b) : b,
            true, err);
    for (size_t i = 0, len; i < o->initial_alphabet.len && rc == 0; i += len) {
        uint32_t cp;
        len = tsl_utf8_decode(o->initial_alphabet.data + i,
                              o->initial_alphabet.data + o->initial_alphabet.len, &cp);
        if (cp == TSL_UTF8_BAD)
            return tsl_err_set(err, TSL_EUSAGE, "the initial alphabet is not UTF-8");
        if (!is_reserved(r, cp))
            rc = put_code(r, cp, true, err);
    }
    return rc;
}

static int by_code(const void *a, const void *b)
{
    const struct code *x = a, *y = b;
    if (x->cp != y->cp)
        return x->cp < y->cp ? -1 : 1;
    return y->initial - x->initial;
}

/* Initial ones, then the most frequent. */
static int by_count(const void *a, const void *b)
{
    const struct code *x = a, *y = b;
    if (x->initial != y->initial)
        return y->initial - x->initial;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return by_code(a, b);
}

/* The same without regard to initial ones. */
static int by_count_alone(const void *a, const void *b)
{
    const struct code *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return by_code(a, b);
}

/* The alphabet: in the order of ids. */
static int choose_codes(struct run *r, struct tsl_err *err)
{
    const struct tsl_bpetrain_opts *o = r->o;
    int rc = initial_codes(r, err);
    for (uint32_t cp = 0; cp < r->top && rc == 0; cp++)
        if (r->code_count[cp])
            rc = put_code(r, cp, false, err);
    if (rc < 0)
        return rc;
    size_t n = 0, all = r->ncodes;
    if (all)
        qsort(r->codes, all, sizeof *r->codes, by_code);
    for (size_t i = 0; i < all; i++)
        if (n == 0 || r->codes[i].cp != r->codes[n - 1].cp)
            r->codes[n++] = r->codes[i];
    if (n)
        qsort(r->codes, n, sizeof *r->codes, by_count);
    uint64_t covered = 0;
    size_t taken = 0;
    for (; taken < n && !(o->alphabet_limit && taken == o->alphabet_limit); taken++) {
        /* In float, as SentencePiece has it. */
        if (!r->codes[taken].initial && o->coverage < 1 &&
            (float)((double)covered / (double)r->stats.symbols_all) >= (float)o->coverage)
            break;
        covered += r->codes[taken].count;
    }
    r->ncodes = taken;
    r->stats.alphabet_all = n;
    r->stats.alphabet = taken;
    r->stats.symbols_covered = covered;
    if (taken)
        qsort(r->codes, taken, sizeof *r->codes,
              o->ties == TSL_BPETRAIN_SPM ? by_count_alone : by_code);
    return 0;
}

/* ---- the vocabulary before merges ------------------------------------------------------ */

static int add_specials(struct run *r, struct tsl_err *err)
{
    uint32_t id;
    int rc = 0;
    for (size_t i = 0; i < r->o->nspecials && rc == 0; i++)
        rc = token_get(r, r->o->specials[i], &id, err);
    for (unsigned b = 0; r->o->byte_pieces && b < 256 && rc == 0; b++) {
        char name[8];
        int n = snprintf(name, sizeof name, "<0x%02X>", b);
        rc = token_get(r, (struct tsl_slice){ (const uint8_t *)name, (size_t)n }, &id,
                       err);
    }
    r->nspecials = r->n;
    return rc;
}

static int add_alphabet(struct run *r, struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < r->ncodes && rc == 0; i++) {
        uint8_t text[4];
        uint32_t id;
        size_t n = spell(r, r->codes[i].cp, text);
        rc = token_get(r, (struct tsl_slice){ text, n }, &id, err);
    }
    r->nalphabet = r->n - r->nspecials;
    if (rc == 0 && r->o->ties == TSL_BPETRAIN_SPM && r->n > r->o->size)
        rc =
            tsl_err_set(err, TSL_EUSAGE,
                        "a vocabulary of %zu is too small for %zu special tokens and %zu "
                        "characters: take a larger one, or a lower coverage",
                        r->o->size, r->nspecials, r->nalphabet);
    return rc;
}

/* Which ids symbols have where neither prefix nor suffix is theirs.  As in Hugging Face's
 * trainer a symbol that is no letter of the alphabet but a special token is that. */
static void plain_ids(struct run *r)
{
    for (uint32_t cp = 0; cp < r->top; cp++) {
        if (!r->code_count[cp])
            continue;
        uint8_t text[4];
        size_t n = spell(r, cp, text);
        r->id[0][cp] = token_find(r, (struct tsl_slice){ text, n }) + 1;
    }
}

/* Variant of symbol i of a word of n. */
static inline unsigned variant(const struct run *r, size_t i, size_t n)
{
    unsigned prefix = r->o->prefix.len && i > 0;
    unsigned suffix = r->o->suffix.len && i + 1 == n;
    return prefix | suffix << 1;
}

static int by_text(const void *a, const void *b)
{
    const struct variant *x = a, *y = b;
    size_t n = x->len < y->len ? x->len : y->len;
    int c = memcmp(x->text, y->text, n);
    return c ? c : (x->len > y->len) - (x->len < y->len);
}

/* Which variants the words have. */
static int find_variants(struct run *r, size_t *nvariants, struct tsl_err *err)
{
    uint64_t count;
    uint32_t *word;
    size_t n;
    int rc;
    *nvariants = 0;
    first_word(r, false);
    while ((rc = next_word(r, &word, &n, &count, err)) > 0) {
        for (size_t i = 0; i < n; i++) {
            unsigned kind = variant(r, i, n);
            uint8_t *kinds = &r->code_kinds[word[i]];
            if (kind && r->id[0][word[i]] && !(*kinds & 1U << kind)) {
                *kinds |= (uint8_t)(1U << kind);
                ++*nvariants;
            }
        }
    }
    return rc;
}

/* Symbols with prefix or suffix get ids, in byte order. */
static int add_variants(struct run *r, struct tsl_err *err)
{
    const struct tsl_bpetrain_opts *o = r->o;
    size_t n, i = 0, each = o->prefix.len + 4 + o->suffix.len;
    if (!o->prefix.len && !o->suffix.len)
        return 0;
    int rc = find_variants(r, &n, err);
    if (rc < 0 || n == 0)
        return rc;
    struct variant *v = tsl_mem_alloc(n, sizeof *v, "alphabet", err);
    uint8_t *text = tsl_mem_alloc(n, each, "alphabet", err);
    rc = v && text ? 0 : TSL_ENOMEM;
    for (uint32_t cp = 0; rc == 0 && cp < r->top; cp++) {
        for (unsigned kind = 1; kind < VARIANTS; kind++) {
            if (!(r->code_kinds[cp] & 1U << kind))
                continue;
            struct variant *x = &v[i];
            *x = (struct variant){ cp, kind, text + i++ * each, 0 };
            if (kind & 1)
                memcpy(x->text, o->prefix.data, x->len = o->prefix.len);
            x->len += spell(r, cp, x->text + x->len);
            if (kind & 2) {
                memcpy(x->text + x->len, o->suffix.data, o->suffix.len);
                x->len += o->suffix.len;
            }
        }
    }
    if (rc == 0)
        qsort(v, n, sizeof *v, by_text);
    for (i = 0; i < n && rc == 0; i++) {
        uint32_t id;
        rc = token_get(r, (struct tsl_slice){ v[i].text, v[i].len }, &id, err);
        if (rc == 0)
            r->id[v[i].kind][v[i].cp] = id + 1;
    }
    tsl_mem_free(v);
    tsl_mem_free(text);
    return rc;
}

/* ---- words into symbols ---------------------------------------------------------------- */

static int hand_over(struct run *r, const uint32_t *ids, size_t n, uint64_t count,
                     struct tsl_err *err)
{
    for (size_t i = 0; i < n; i++)
        r->count[ids[i]] += count;
    if (n < 2)
        return 0;
    r->stats.words++;
    r->stats.symbols += n;
    return tsl_bperounds_word(r->pairs, ids, n, count, err);
}

/* Each word's stretches: the whole of it but for what vanishes, or, with SentencePiece's
 * ties, what stands between symbols that are not in the alphabet. */
static int hand_over_all(struct run *r, struct tsl_err *err)
{
    bool cut = r->o->ties == TSL_BPETRAIN_SPM;
    uint64_t count;
    uint32_t *word;
    size_t n;
    int rc;
    first_word(r, true);
    while ((rc = next_word(r, &word, &n, &count, err)) > 0) {
        size_t kept = 0; /* ids take the places of codes */
        rc = 0;
        for (size_t i = 0; i < n && rc == 0; i++) {
            uint32_t id = r->id[0][word[i]];
            if (id) {
                unsigned kind = variant(r, i, n);
                word[kept++] = (kind ? r->id[kind][word[i]] : id) - 1;
            } else if (cut) {
                rc = hand_over(r, word, kept, count, err);
                kept = 0;
            }
        }
        if (rc == 0)
            rc = hand_over(r, word, kept, count, err);
        if (rc < 0)
            break;
    }
    return rc;
}

/* ---- which pair is best ---------------------------------------------------------------- */

static bool rule_allows(void *ctx, uint32_t left, uint32_t right)
{
    const struct run *r = ctx;
    const struct tsl_piecerule *rule = r->o->rule;
    uint32_t cp[CHARS_MAX];
    size_t n = 0;
    if ((size_t)r->nchars[left] + r->nchars[right] > rule->max_chars)
        return false;
    for (unsigned side = 0; side < 2; side++) {
        struct tsl_slice s = token(r, side ? right : left);
        for (const uint8_t *p = s.data, *end = s.data + s.len; p < end; n++)
            p += tsl_utf8_decode(p, end, &cp[n]);
    }
    return tsl_piecerule_allows(rule, cp, n);
}

/* SentencePiece's ties: characters, and the first bytes. */
static uint64_t spm_key(void *ctx, uint32_t left, uint32_t right)
{
    const struct run *r = ctx;
    struct tsl_slice a = token(r, left), b = token(r, right);
    uint64_t key = (uint64_t)r->nchars[left] + r->nchars[right];
    if (key > UINT16_MAX)
        key = UINT16_MAX;
    for (size_t i = 0; i < 6; i++) {
        uint8_t byte = 0;
        if (i < a.len)
            byte = a.data[i];
        else if (i - a.len < b.len)
            byte = b.data[i - a.len];
        key = key << 8 | byte;
    }
    return key;
}

static int spm_compare(void *ctx, uint32_t left1, uint32_t right1, uint32_t left2,
                       uint32_t right2)
{
    const struct run *r = ctx;
    size_t n1 = (size_t)r->nchars[left1] + r->nchars[right1];
    size_t n2 = (size_t)r->nchars[left2] + r->nchars[right2];
    if (n1 != n2)
        return n1 < n2 ? -1 : 1;
    struct tsl_slice a[2] = { token(r, left1), token(r, right1) };
    struct tsl_slice b[2] = { token(r, left2), token(r, right2) };
    size_t alen = a[0].len + a[1].len, blen = b[0].len + b[1].len;
    for (size_t i = 0; i < alen && i < blen; i++) {
        uint8_t x = i < a[0].len ? a[0].data[i] : a[1].data[i - a[0].len];
        uint8_t y = i < b[0].len ? b[0].data[i] : b[1].data[i - b[0].len];
        if (x != y)
            return x < y ? -1 : 1;
    }
    if (alen != blen)
        return alen < blen ? -1 : 1;
    return (a[0].len < b[0].len) - (a[0].len > b[0].len);
}

/* ---- merges ---------------------------------------------------------------------------- */

/* The id of what p makes, without the prefix within; a new one if it is r->n before. */
static int join(struct run *r, const struct tsl_bpemerge_pair *p, uint32_t *id,
                struct tsl_err *err)
{
    struct tsl_slice prefix = r->o->prefix;
    int rc = token_room(r, token(r, p->left).len + token(r, p->right).len, err);
    if (rc < 0)
        return rc;
    struct tsl_slice left = token(r, p->left), right = token(r, p->right);
    if (prefix.len && right.len >= prefix.len &&
        memcmp(right.data, prefix.data, prefix.len) == 0) {
        right.data += prefix.len;
        right.len -= prefix.len;
    }
    memcpy(r->bytes + r->nbytes, left.data, left.len);
    memcpy(r->bytes + r->nbytes + left.len, right.data, right.len);
    *id = token_take(r, left.len + right.len, p->count);
    return 0;
}

static int merge(struct run *r, struct tsl_err *err)
{
    uint64_t least = r->o->min_frequency ? r->o->min_frequency : 1;
    while (r->n < r->o->size) {
        struct tsl_bpemerge_pair p;
        uint32_t id;
        size_t had = r->n;
        int rc = tsl_bperounds_best(r->pairs, &p, err);
        if (rc <= 0)
            return rc;
        if (p.count < least) {
            if (r->o->score == TSL_BPETRAIN_LIKELIHOOD)
                continue; /* pairs of higher counts may come */
            return 0;
        }
        rc = join(r, &p, &id, err);
        if (rc == 0 && r->n == had && r->o->ties == TSL_BPETRAIN_SPM)
            continue;
        if (rc == 0)
            rc = tsl_mem_grow(&r->merges, &r->merges_cap, r->nmerges + 1,
                              sizeof *r->merges, "merges", err);
        if (rc == 0)
            rc = tsl_bperounds_apply(r->pairs, &p, id, err);
        if (rc < 0)
            return rc;
        r->shared |= r->n == had;
        r->merges[r->nmerges++] =
            (struct tsl_bpetrain_merge){ p.left, p.right, id, p.count };
        if (r->o->progress)
            atomic_store_explicit(&r->o->progress->tokens, r->n, memory_order_relaxed);
    }
    return 0;
}

/* ---- the result ------------------------------------------------------------------------ */

struct ranked {
    uint32_t left, right;
    size_t rank;
};

static int by_pair(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->left != y->left)
        return x->left < y->left ? -1 : 1;
    if (x->right != y->right)
        return x->right < y->right ? -1 : 1;
    return x->rank < y->rank ? -1 : 1;
}

/* Of merges of one pair the last stays. */
static int drop_repeated(struct run *r, struct tsl_err *err)
{
    size_t n = r->nmerges, kept = 0;
    if (!r->shared)
        return 0;
    struct ranked *order = tsl_mem_alloc(n, sizeof *order, "merges", err);
    if (!order)
        return TSL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        order[i] = (struct ranked){ r->merges[i].left, r->merges[i].right, i };
    qsort(order, n, sizeof *order, by_pair);
    for (size_t i = 0; i + 1 < n; i++)
        if (order[i].left == order[i + 1].left && order[i].right == order[i + 1].right)
            r->merges[order[i].rank].id = NONE;
    for (size_t i = 0; i < n; i++)
        if (r->merges[i].id != NONE)
            r->merges[kept++] = r->merges[i];
    r->nmerges = kept;
    tsl_mem_free(order);
    return 0;
}

/* SentencePiece's order: the alphabet goes behind the merges. */
static int alphabet_last(struct run *r, struct tsl_err *err)
{
    size_t first = r->nspecials, nalpha = r->nalphabet, nmerged = r->n - first - nalpha;
    uint8_t *bytes = tsl_mem_alloc(r->nbytes + 1, 1, "tokens", err);
    uint64_t *end = tsl_mem_alloc(r->n + 1, sizeof *end, "tokens", err);
    uint64_t *count = tsl_mem_alloc(r->n + 1, sizeof *count, "tokens", err);
    if (!bytes || !end || !count) {
        tsl_mem_free(bytes);
        tsl_mem_free(end);
        tsl_mem_free(count);
        return TSL_ENOMEM;
    }
    size_t at = 0;
    for (size_t i = 0; i < r->n; i++) {
        size_t from = i;
        if (i >= first)
            from = i < first + nmerged ? i + nalpha : i - nmerged;
        struct tsl_slice s = token(r, from);
        if (s.len)
            memcpy(bytes + at, s.data, s.len);
        end[i] = at += s.len;
        count[i] = r->count[from];
    }
    for (size_t i = 0; i < 3 * r->nmerges; i++) {
        struct tsl_bpetrain_merge *m = &r->merges[i / 3];
        uint32_t *id = i % 3 == 0 ? &m->left : i % 3 == 1 ? &m->right : &m->id;
        if (*id >= first + nalpha)
            *id -= (uint32_t)nalpha;
        else if (*id >= first)
            *id += (uint32_t)nmerged;
    }
    tsl_mem_free(r->bytes);
    tsl_mem_free(r->end);
    tsl_mem_free(r->count);
    r->bytes = bytes;
    r->end = end;
    r->count = count;
    return 0;
}

static int result(struct run *r, struct tsl_bpetrain **out, struct tsl_err *err)
{
    int rc = drop_repeated(r, err);
    if (rc == 0 && r->o->ties == TSL_BPETRAIN_SPM)
        rc = alphabet_last(r, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < r->nspecials; i++)
        r->count[i] = 0;
    struct tsl_bpetrain *t = tsl_mem_alloc(1, sizeof *t, "a vocabulary", err);
    if (!t)
        return TSL_ENOMEM;
    struct tsl_bperounds_stats pairs = tsl_bperounds_stats(r->pairs);
    r->stats.pairs = pairs.pairs;
    r->stats.rounds = pairs.rounds;
    r->stats.peak_bytes += pairs.peak_bytes;
    *t = (struct tsl_bpetrain){ .n = r->n,
                                .bytes = r->bytes,
                                .end = r->end,
                                .count = r->count,
                                .nspecials = r->nspecials,
                                .nmerges = r->nmerges,
                                .merges = r->merges,
                                .stats = r->stats };
    r->bytes = NULL;
    r->end = r->count = NULL;
    r->merges = NULL;
    *out = t;
    return 0;
}

void tsl_bpetrain_destroy(struct tsl_bpetrain *t)
{
    if (!t)
        return;
    tsl_mem_free((void *)(uintptr_t)t->bytes);
    tsl_mem_free((void *)(uintptr_t)t->end);
    tsl_mem_free((void *)(uintptr_t)t->count);
    tsl_mem_free((void *)(uintptr_t)t->merges);
    tsl_mem_free(t);
}

/* ---- a run ----------------------------------------------------------------------------- */

static int check(const struct tsl_bpetrain_opts *o, struct tsl_err *err)
{
    bool chars = o->symbols == TSL_BPETRAIN_CHARS;
    if (o->size > TSL_BPEMERGE_ID_MAX)
        return tsl_err_set(err, TSL_EUSAGE,
                           "a vocabulary of %zu is too large: at most %d", o->size,
                           TSL_BPEMERGE_ID_MAX);
    if (!(o->coverage > 0 && o->coverage <= 1))
        return tsl_err_set(err, TSL_EUSAGE,
                           "a coverage of %g: must be above 0 and at most 1",
                           o->coverage);
    if (chars && o->all_bytes)
        return tsl_err_set(err, TSL_EUSAGE,
                           "an alphabet of all bytes, but symbols are characters");
    if (!chars && o->initial_alphabet.len)
        return tsl_err_set(err, TSL_EUSAGE,
                           "an initial alphabet of characters, but symbols are bytes");
    if (o->rule && o->symbols == TSL_BPETRAIN_BYTES)
        return tsl_err_set(err, TSL_EUSAGE,
                           "rules for pieces of characters, but symbols are bytes");
    if (o->rule && (o->rule->max_chars < 1 || o->rule->max_chars > CHARS_MAX))
        return tsl_err_set(err, TSL_EUSAGE,
                           "pieces of at most %zu characters: must be 1 to "
                           "%d",
                           o->rule->max_chars, CHARS_MAX);
    if ((o->ties == TSL_BPETRAIN_SPM || o->rule) && (o->prefix.len || o->suffix.len))
        return tsl_err_set(err, TSL_EUSAGE,
                           "SentencePiece's vocabularies have no prefix or suffix");
    return 0;
}

static int prepare(struct run *r, struct tsl_err *err)
{
    unsigned nvariants = r->o->prefix.len || r->o->suffix.len ? VARIANTS : 1;
    r->code_count = tsl_pages_map(CODES * sizeof *r->code_count, "alphabet", err);
    r->code_kinds = tsl_pages_map(CODES * sizeof *r->code_kinds, "alphabet", err);
    if (!r->code_count || !r->code_kinds)
        return TSL_ENOMEM;
    for (unsigned i = 0; i < nvariants; i++)
        if (!(r->id[i] = tsl_pages_map(CODES * sizeof *r->id[i], "alphabet", err)))
            return TSL_ENOMEM;
    int rc = token_table(r, 1024, err);
    if (rc == 0)
        rc = count_codes(r, err);
    if (rc == 0)
        rc = choose_codes(r, err);
    if (rc == 0)
        rc = add_specials(r, err);
    if (rc == 0)
        rc = add_alphabet(r, err);
    if (rc == 0)
        plain_ids(r);
    if (rc == 0)
        rc = add_variants(r, err);
    return rc;
}

static int start_pairs(struct run *r, struct tsl_err *err)
{
    const struct tsl_bpetrain_opts *o = r->o;
    bool spm = o->ties == TSL_BPETRAIN_SPM;
    struct tsl_bperounds_opts p = {
        .pairs = { .slots_limit = o->max_token_length,
                   .likelihood = o->score == TSL_BPETRAIN_LIKELIHOOD,
                   .ctx = r,
                   .allowed = o->rule ? rule_allows : NULL,
                   .key = spm ? spm_key : NULL,
                   .compare = spm ? spm_compare : NULL },
        .least = o->min_frequency,
        .ids = o->size,
        .memory = o->memory,
        .pairs_max = o->pairs_max,
        .dirs = o->dirs,
        .ndirs = o->ndirs,
    };
    int rc = tsl_bperounds_create(&r->pairs, &p, err);
    if (rc == 0)
        rc = hand_over_all(r, err);
    tsl_wordstore_destroy(r->kept);
    r->kept = NULL;
    if (rc == 0)
        rc = tsl_bperounds_start(r->pairs, r->count, r->n, err);
    return rc;
}

static void run_fini(struct run *r)
{
    tsl_pages_unmap(r->code_count, CODES * sizeof *r->code_count);
    tsl_pages_unmap(r->code_kinds, CODES * sizeof *r->code_kinds);
    for (unsigned i = 0; i < VARIANTS; i++)
        tsl_pages_unmap(r->id[i], CODES * sizeof *r->id[i]);
    tsl_mem_free(r->codes);
    tsl_mem_free(r->word);
    tsl_wordstore_destroy(r->kept);
    tsl_mem_free(r->bytes);
    tsl_mem_free(r->end);
    tsl_mem_free(r->count);
    tsl_mem_free(r->nchars);
    tsl_mem_free(r->slots);
    tsl_mem_free(r->merges);
    tsl_bperounds_destroy(r->pairs);
}

static int run_all(struct run *r, struct tsl_bpetrain **out, struct tsl_err *err)
{
    const struct tsl_bpetrain_opts *o = r->o;
    double began = seconds();
    int rc = check(o, err);
    if (rc == 0)
        rc = prepare(r, err);
    if (rc == 0)
        rc = start_pairs(r, err);
    double counted = seconds();
    if (rc == 0 && o->progress) {
        atomic_store_explicit(&o->progress->tokens, r->n, memory_order_relaxed);
        atomic_store_explicit(&o->progress->target, o->size, memory_order_relaxed);
    }
    if (rc == 0)
        rc = merge(r, err);
    r->stats.count_seconds = counted - began;
    r->stats.merge_seconds = seconds() - counted;
    if (rc == 0)
        rc = result(r, out, err);
    run_fini(r);
    return rc;
}

int tsl_bpetrain_run(struct tsl_bpetrain **out, const struct tsl_wordlist *list,
                     const struct tsl_bpetrain_opts *o, struct tsl_err *err)
{
    struct run r = { .list = list, .o = o };
    return run_all(&r, out, err);
}

int tsl_bpetrain_stream(struct tsl_bpetrain **out, const struct tsl_bpetrain_words *words,
                        const struct tsl_bpetrain_opts *o, struct tsl_err *err)
{
    struct run r = { .source = words, .o = o };
    struct tsl_wordstore_opts kept = { o->memory / 4, o->dirs, o->memory ? o->ndirs : 0 };
    int rc = tsl_wordstore_create(&r.kept, &kept, err);
    return rc < 0 ? rc : run_all(&r, out, err);
}
