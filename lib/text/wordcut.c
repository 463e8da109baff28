#include "text/wordcut.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/quote.h"
#include "base/utf8.h"
#include "text/splitscan.h"
#include "text/spmnorm.h"
#include "text/trie.h"
#include "text/wordcount.h"

enum {
    WORD_MAX = TSL_WORDCOUNT_WORD_MAX,
    SLACK = 16,             /* readable behind a word */
    SEGMENT_MAX = 1 << 20,  /* bytes of text without a cut, for bert */
    CHUNK_BYTES = 16 << 10, /* of text that bert takes at a time: stays in a near cache */
    BLOCK_BYTES = 64 << 10  /* of text that spm takes at a time */
};

/* Where words go. */
struct sender {
    tsl_wordcut_emit *emit;
    void *ctx;
    struct tsl_wordcut_counts *counts;
};

static int send_word(const struct sender *s, const uint8_t *p, size_t n,
                     struct tsl_err *err)
{
    if (TSL_UNLIKELY(n > WORD_MAX)) {
        s->counts->long_words++;
        s->counts->long_bytes += n;
        return 0;
    }
    return n ? s->emit(s->ctx, (struct tsl_slice){ p, n }, err) : 0;
}

static void add_counts(struct tsl_wordcut_counts *sum,
                       const struct tsl_wordcut_counts *more)
{
    sum->invalid += more->invalid;
    sum->long_words += more->long_words;
    sum->long_bytes += more->long_bytes;
    sum->skipped += more->skipped;
}

void tsl_wordcut_keep_line_ends(struct tsl_wordcut *cut)
{
    size_t n = strlen(cut->describe);
    if (!cut->line_ends)
        snprintf(cut->describe + n, sizeof cut->describe - n, " line-ends");
    cut->line_ends = true;
}

void tsl_wordcut_fini(struct tsl_wordcut *cut)
{
    if (cut->ops)
        cut->ops->model_destroy(cut->model);
    *cut = (struct tsl_wordcut){ 0 };
}

/* ---- bert ------------------------------------------------------------------------------ */

/* An entry of the table of code points: kind in bits 0 to 2, CUT, and from bit 8 on the code
 * point that it becomes (ALONE), up to three bytes (with their number in bits 4 and 5), or a
 * place in longs (with the number 0). */
enum { ENTRY_KIND = 7, ENTRY_CUT = 8, ENTRY_LEN_SHIFT = 4, ENTRY_SHIFT = 8 };

struct bert_cutter {
    struct tsl_bertnorm norm;
    uint32_t ascii[128];
    uint32_t *pages[0x1100]; /* 256 entries each, made when they are needed */
    uint8_t *longs;          /* records of 1 + TSL_BERTFOLD_BYTES: length, UTF-8 */
    size_t longs_n, longs_cap;
    struct tsl_bertchars chars;

    uint8_t *words; /* normalised, waiting: nwords of them, and one on its way */
    size_t len, cap;
    uint32_t *ends;
    size_t nwords, ends_cap;
    bool skipping; /* within text without a cut that is left out */
    struct tsl_wordcut_counts counts;
};

static void *bert_create(const void *model, struct tsl_err *err)
{
    struct bert_cutter *c = tsl_mem_alloc(1, sizeof *c, "a cutter", err);
    if (c)
        c->norm = *(const struct tsl_bertnorm *)model;
    return c;
}

static void bert_destroy(void *cutter)
{
    struct bert_cutter *c = cutter;
    if (!c)
        return;
    for (size_t i = 0; i < sizeof c->pages / sizeof *c->pages; i++)
        tsl_mem_free(c->pages[i]);
    tsl_mem_free(c->longs);
    tsl_bertchars_fini(&c->chars);
    tsl_mem_free(c->words);
    tsl_mem_free(c->ends);
    tsl_mem_free(c);
}

static int bert_entry(struct bert_cutter *c, uint32_t cp, uint32_t *entry,
                      struct tsl_err *err)
{
    struct tsl_bertfold f;
    int rc = tsl_bertnorm_fold(&c->norm, cp, &c->chars, &f, err);
    if (rc < 0)
        return rc;
    bool ends = f.kind == TSL_BERTFOLD_SPACE || f.kind == TSL_BERTFOLD_ALONE;
    *entry = (uint32_t)f.kind | (ends && f.cut ? (unsigned)ENTRY_CUT : 0U);
    if (f.kind == TSL_BERTFOLD_ALONE)
        *entry |= f.cp << ENTRY_SHIFT;
    if (f.kind != TSL_BERTFOLD_WORD)
        return 0;
    if (f.len <= 3) {
        *entry |= (uint32_t)f.len << ENTRY_LEN_SHIFT;
        for (unsigned i = 0; i < f.len; i++)
            *entry |= (uint32_t)f.bytes[i] << (ENTRY_SHIFT + 8 * i);
        return 0;
    }
    rc = tsl_mem_grow(&c->longs, &c->longs_cap, c->longs_n + 1 + TSL_BERTFOLD_BYTES, 1,
                      "a table of characters", err);
    if (rc < 0)
        return rc;
    *entry |= (uint32_t)c->longs_n << ENTRY_SHIFT;
    c->longs[c->longs_n] = f.len;
    memcpy(c->longs + c->longs_n + 1, f.bytes, TSL_BERTFOLD_BYTES);
    c->longs_n += 1 + TSL_BERTFOLD_BYTES;
    return 0;
}

static int bert_page(struct bert_cutter *c, uint32_t page, struct tsl_err *err)
{
    uint32_t *p = tsl_mem_alloc(256, sizeof *p, "a table of characters", err);
    int rc = p ? 0 : TSL_ENOMEM;
    for (uint32_t i = 0; i < 256 && rc == 0; i++) {
        uint32_t cp = page << 8 | i;
        p[i] = TSL_BERTFOLD_MIXED; /* surrogates: never a code point of text */
        if (cp < 0xd800 || cp > 0xdfff)
            rc = bert_entry(c, cp, &p[i], err);
    }
    if (rc < 0) {
        tsl_mem_free(p);
        return rc;
    }
    c->pages[page] = p;
    if (page == 0)
        memcpy(c->ascii, p, sizeof c->ascii);
    return 0;
}

/* The entry of the character at p < end, and its bytes. */
TSL_INLINE int bert_look(struct bert_cutter *c, const uint8_t *p, const uint8_t *end,
                         size_t *n, uint32_t *entry, bool *bad, struct tsl_err *err)
{
    uint32_t cp;
    *n = tsl_utf8_decode(p, end, &cp);
    *bad = cp == TSL_UTF8_BAD;
    if (*bad)
        cp = TSL_UTF8_REPLACEMENT;
    if (!c->pages[cp >> 8]) {
        int rc = bert_page(c, cp >> 8, err);
        if (rc < 0)
            return rc;
    }
    *entry = c->pages[cp >> 8][cp & 255];
    return 0;
}

static int bert_flush(struct bert_cutter *c, const struct sender *to, struct tsl_err *err)
{
    size_t at = 0;
    int rc = 0;
    for (size_t i = 0; i < c->nwords && rc == 0; at = c->ends[i++])
        rc = send_word(to, c->words + at, c->ends[i] - at, err);
    c->len = c->nwords = 0;
    return rc;
}

static int bert_room(struct bert_cutter *c, size_t bytes, size_t words,
                     struct tsl_err *err)
{
    int rc = tsl_mem_grow(&c->words, &c->cap, c->len + bytes + SLACK, 1, "words", err);
    if (rc == 0)
        rc = tsl_mem_grow(&c->ends, &c->ends_cap, c->nwords + words, sizeof *c->ends,
                          "words", err);
    return rc;
}

/* Text that begins and ends where words do, the long way. */
static int bert_long_way(struct bert_cutter *c, struct tsl_slice text,
                         struct tsl_err *err)
{
    struct tsl_bertcontext around = { false,
                                      false }; /* a cut is neither cased nor passed */
    struct tsl_bertchars *t = &c->chars;
    t->invalid = 0;
    int rc = tsl_bertnorm_chars(&c->norm, text, around, t, err);
    if (rc == 0)
        rc = bert_room(c, 4 * t->n, t->n + 1, err);
    if (rc < 0)
        return rc;
    c->counts.invalid += t->invalid;
    for (size_t i = 0; i < t->n; i++) {
        if (i > 0 && t->c[i].first)
            c->ends[c->nwords++] = (uint32_t)c->len;
        c->len += tsl_utf8_encode(c->words + c->len, t->c[i].cp);
    }
    if (t->n)
        c->ends[c->nwords++] = (uint32_t)c->len;
    return 0;
}

/* A place in the text where no rule looks from one side to the other, and what there was of
 * words then. */
struct bert_mark {
    const uint8_t *p;
    size_t len, nwords;
    uint64_t invalid;
};

static struct bert_mark bert_mark(const struct bert_cutter *c, const uint8_t *p)
{
    return (struct bert_mark){ p, c->len, c->nwords, c->counts.invalid };
}

/* The first cut at or behind p; end: there is none. */
static int bert_find_cut(struct bert_cutter *c, const uint8_t **p, const uint8_t *end,
                         struct tsl_err *err)
{
    while (*p < end) {
        uint32_t entry;
        size_t n;
        bool bad;
        int rc = bert_look(c, *p, end, &n, &entry, &bad, err);
        if (rc < 0)
            return rc;
        if (entry & ENTRY_CUT)
            break;
        *p += n;
    }
    return 0;
}

/* Where the last cut of [p, *end) ends; p: there is none. */
static int bert_last_cut(struct bert_cutter *c, const uint8_t *p, const uint8_t **end,
                         struct tsl_err *err)
{
    const uint8_t *q = *end;
    while (q > p) {
        const uint8_t *at = q - 1;
        uint32_t entry;
        size_t n;
        bool bad;
        while (at > p && q - at < 4 && (*at & 0xc0) == 0x80)
            at--;
        int rc = bert_look(c, at, q, &n, &entry, &bad, err);
        if (rc < 0)
            return rc;
        if (!bad && n == (size_t)(q - at) && (entry & ENTRY_CUT))
            break;
        q = bad ? q - 1 : at;
    }
    *end = q;
    return 0;
}

/* ASCII from p on up to what is not, or is not to be taken alone. */
TSL_INLINE const uint8_t *bert_ascii(struct bert_cutter *c, const uint8_t *p,
                                     const uint8_t *end, struct bert_mark *mark)
{
    uint32_t *ends = c->ends + c->nwords;
    uint8_t *q = c->words + c->len;
    uint8_t *begin = c->words + (c->nwords ? ends[-1] : 0);
    for (; p < end && *p < 0x80; p++) {
        uint32_t e = c->ascii[*p];
        unsigned kind = e & ENTRY_KIND;
        if (TSL_LIKELY(kind == TSL_BERTFOLD_SAME)) {
            *q++ = *p;
            continue;
        }
        if (kind == TSL_BERTFOLD_WORD) {
            *q++ = (uint8_t)(e >> ENTRY_SHIFT);
            continue;
        }
        if (kind == TSL_BERTFOLD_DROP)
            continue;
        if (q > begin) {
            *ends++ = (uint32_t)(q - c->words);
            begin = q;
        }
        if (kind == TSL_BERTFOLD_ALONE) {
            *q++ = (uint8_t)(e >> ENTRY_SHIFT);
            *ends++ = (uint32_t)(q - c->words);
            begin = q;
        }
        if (TSL_LIKELY(e & ENTRY_CUT))
            *mark = (struct bert_mark){ p + 1, (size_t)(q - c->words),
                                        (size_t)(ends - c->ends), c->counts.invalid };
    }
    c->len = (size_t)(q - c->words);
    c->nwords = (size_t)(ends - c->ends);
    return p;
}

static void bert_end_word(struct bert_cutter *c)
{
    size_t begin = c->nwords ? c->ends[c->nwords - 1] : 0;
    if (c->len > begin)
        c->ends[c->nwords++] = (uint32_t)c->len;
}

/* What an entry that is not MIXED or SIGMA says. */
static void bert_put(struct bert_cutter *c, uint32_t entry, const uint8_t *p, size_t n,
                     bool bad)
{
    uint8_t *q = c->words + c->len;
    switch (entry & ENTRY_KIND) {
    case TSL_BERTFOLD_SAME:
        if (bad)
            n = tsl_utf8_encode(q, TSL_UTF8_REPLACEMENT);
        else
            memcpy(q, p, n);
        c->len += n;
        break;
    case TSL_BERTFOLD_SPACE: bert_end_word(c); break;
    case TSL_BERTFOLD_ALONE:
        bert_end_word(c);
        c->len += tsl_utf8_encode(q, entry >> ENTRY_SHIFT);
        bert_end_word(c);
        break;
    case TSL_BERTFOLD_WORD: {
        size_t len = entry >> ENTRY_LEN_SHIFT & 3;
        const uint8_t *from = c->longs + (entry >> ENTRY_SHIFT);
        if (len) {
            tsl_store32(q, entry >> ENTRY_SHIFT);
        } else {
            len = from[0];
            memcpy(q, from + 1, TSL_BERTFOLD_BYTES);
        }
        c->len += len;
        break;
    }
    default: break;
    }
}

/* Text of which no rule looks outside. */
static int bert_chunk(struct bert_cutter *c, const uint8_t *p, const uint8_t *end,
                      const struct sender *to, struct tsl_err *err)
{
    size_t size = (size_t)(end - p);
    /* what a character of two bytes or more becomes has at most BERTFOLD_BYTES, a byte of
     * none U+FFFD */
    int rc = bert_room(c, size * TSL_BERTFOLD_BYTES / 2 + 64, size + 1, err);
    struct bert_mark mark = bert_mark(c, p);
    while (p < end && rc == 0) {
        uint32_t entry;
        size_t n;
        bool bad;
        if (*p < 0x80) {
            p = bert_ascii(c, p, end, &mark);
            continue;
        }
        rc = bert_look(c, p, end, &n, &entry, &bad, err);
        if (rc < 0)
            break;
        unsigned kind = entry & ENTRY_KIND;
        if (kind == TSL_BERTFOLD_MIXED || kind == TSL_BERTFOLD_SIGMA) {
            /* all of what is between two cuts, the long way */
            rc = bert_find_cut(c, &p, end, err);
            c->len = mark.len;
            c->nwords = mark.nwords;
            c->counts.invalid = mark.invalid;
            if (rc == 0)
                rc = bert_long_way(c, (struct tsl_slice){ mark.p, (size_t)(p - mark.p) },
                                   err);
            if (rc == 0)
                rc = bert_room(c, (size_t)(end - p) * TSL_BERTFOLD_BYTES / 2 + 64,
                               (size_t)(end - p) + 1, err);
            mark = bert_mark(c, p);
            continue;
        }
        c->counts.invalid += bad;
        bert_put(c, entry, p, n, bad);
        p += n;
        if (entry & ENTRY_CUT)
            mark = bert_mark(c, p);
    }
    if (rc < 0)
        return rc;
    bert_end_word(c);
    return bert_flush(c, to, err);
}

/* Leaves out text up to the next cut; where there is none, what comes next as well. */
static int bert_skip(struct bert_cutter *c, const uint8_t **p, const uint8_t *end,
                     bool last, struct tsl_err *err)
{
    const uint8_t *from = *p;
    c->counts.long_words += !c->skipping;
    int rc = bert_find_cut(c, p, end, err);
    c->counts.long_bytes += (uint64_t)(*p - from);
    c->skipping = *p == end && !last;
    return rc;
}

static int bert_cut(void *cutter, struct tsl_slice text, bool first, bool last,
                    size_t *used, tsl_wordcut_emit *emit, void *ctx, struct tsl_err *err)
{
    struct bert_cutter *c = cutter;
    const struct sender to = { emit, ctx, &c->counts };
    const uint8_t *p = text.data, *end = p + text.len;
    int rc = c->pages[0] ? 0 : bert_page(c, 0, err);
    if (!last)
        end -= tsl_utf8_open(text.data, text.len);
    c->len = c->nwords = 0;
    c->skipping = c->skipping && !first;
    if (c->skipping && rc == 0)
        rc = bert_skip(c, &p, end, last, err);
    while (p < end && rc == 0) {
        bool all = end - p <= CHUNK_BYTES;
        const uint8_t *stop = all ? end : p + CHUNK_BYTES;
        if (!all || !last)
            rc = bert_last_cut(c, p, &stop, err);
        if (rc == 0 && stop == p) {
            /* none within a chunk: up to the first one, which may be far away */
            if (all)
                break;
            rc = bert_find_cut(c, &stop, end, err);
            if (rc == 0 && stop - p > SEGMENT_MAX) {
                rc = bert_skip(c, &p, end, last, err);
                continue;
            }
            if (rc == 0 && stop == end && !last)
                break;
        }
        if (rc == 0)
            rc = bert_chunk(c, p, stop, &to, err);
        p = stop;
    }
    *used = last ? text.len : (size_t)(p - text.data);
    return rc;
}

static void bert_counts(const void *cutter, struct tsl_wordcut_counts *sum)
{
    add_counts(sum, &((const struct bert_cutter *)cutter)->counts);
}

static void plain_model_destroy(void *model)
{
    tsl_mem_free(model);
}

int tsl_wordcut_bert(struct tsl_wordcut *cut, const struct tsl_bertnorm *norm,
                     struct tsl_err *err)
{
    static const struct tsl_wordcut_ops ops = { bert_create, bert_cut, bert_counts,
                                                bert_destroy, plain_model_destroy };
    static const char *const rules[] = { "hf", "google", "bert4keras" };
    *cut = (struct tsl_wordcut){ 0 };
    struct tsl_bertnorm *n = tsl_mem_alloc(1, sizeof *n, "a cutter", err);
    if (!n)
        return TSL_ENOMEM;
    *n = tsl_bertnorm_make(*norm);
    *cut = (struct tsl_wordcut){ .ops = &ops, .model = n, .factor = 2 };
    snprintf(cut->describe, sizeof cut->describe,
             "bert rules=%s clean=%d chinese=%d strip-accents=%d lowercase=%d",
             rules[n->rules], n->clean_text, n->handle_chinese_chars, n->strip_accents,
             n->lowercase);
    return 0;
}

/* ---- bytes ----------------------------------------------------------------------------- */

struct bytes_model {
    struct tsl_wordcut_bytes_opts o;
    struct tsl_splitscan scan;
};

struct bytes_cutter {
    const struct bytes_model *m;
    uint8_t *text; /* repaired, or with a blank in front */
    size_t cap;
    uint32_t ends[512];
    struct tsl_wordcut_counts counts;
};

static void *bytes_create(const void *model, struct tsl_err *err)
{
    struct bytes_cutter *c = tsl_mem_alloc(1, sizeof *c, "a cutter", err);
    if (c)
        c->m = model;
    return c;
}

static void bytes_destroy(void *cutter)
{
    struct bytes_cutter *c = cutter;
    if (c)
        tsl_mem_free(c->text);
    tsl_mem_free(c);
}

/* Bytes of p[0, n) that are well-formed, from its begin on. */
static size_t good_bytes(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (i < n) {
        uint32_t cp;
        if (i + 8 <= n && !(tsl_load64(p + i) & UINT64_C(0x8080808080808080))) {
            i += 8;
            continue;
        }
        size_t k = tsl_utf8_decode(p + i, p + n, &cp);
        if (cp == TSL_UTF8_BAD)
            break;
        i += k;
    }
    return i;
}

/* Copies text with U+FFFD for each ill-formed part, so many bytes of the result at most are
 * wanted; returns how many bytes of text they came from.  to NULL: only counts. */
static size_t repair(struct tsl_slice text, uint8_t *to, size_t *len, size_t most,
                     uint64_t *invalid)
{
    size_t i = 0, n = 0;
    while (i < text.len) {
        size_t k = good_bytes(text.data + i, text.len - i);
        k = n + k > most ? most - n : k;
        if (to && k)
            memcpy(to + n, text.data + i, k);
        n += k;
        i += k;
        if (i == text.len || n + 3 > most)
            break;
        uint32_t cp;
        size_t bad = tsl_utf8_decode(text.data + i, text.data + text.len, &cp);
        if (cp != TSL_UTF8_BAD)
            break; /* most was reached in the midst of what is good */
        if (to)
            memcpy(to + n, "\xef\xbf\xbd", 3);
        n += 3;
        i += bad;
        ++*invalid;
    }
    *len = n;
    return i;
}

/* Pieces of text from the first on; *used: the bytes of those that are certain. */
static int bytes_pieces(struct bytes_cutter *c, struct tsl_slice text, bool last,
                        size_t *used, const struct sender *to, struct tsl_err *err)
{
    const struct tsl_splitscan *scan = &c->m->scan;
    enum { CAP = sizeof c->ends / sizeof *c->ends };
    size_t at = 0;
    int rc = 0;
    while (at < text.len && rc == 0) {
        size_t n = 0;
        if (text.data[at] < 0x80)
            n = tsl_splitscan_ascii(scan, text, at, last, c->ends, CAP);
        for (size_t i = 0; i < n && rc == 0; at = c->ends[i++])
            rc = send_word(to, text.data + at, c->ends[i] - at, err);
        if (n)
            continue;
        int64_t end = tsl_splitscan_next(scan, text, at, last);
        if (end == TSL_SPLITSCAN_MORE)
            break;
        assert(end > (int64_t)at); /* nothing is odd here */
        rc = send_word(to, text.data + at, (size_t)end - at, err);
        at = (size_t)end;
    }
    *used = at;
    return rc;
}

static int send_nowhere(void *ctx, struct tsl_slice word, struct tsl_err *err)
{
    (void)ctx, (void)word, (void)err;
    return 0;
}

static int bytes_cut(void *cutter, struct tsl_slice text, bool first, bool last,
                     size_t *used, tsl_wordcut_emit *emit, void *ctx, struct tsl_err *err)
{
    struct bytes_cutter *c = cutter;
    const struct sender to = { emit, ctx, &c->counts };
    *used = 0;
    if (text.len > UINT32_MAX / 4)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%zu bytes of text at once; at most 1 GiB can be cut",
                           text.len);
    if (!last)
        text.len -= tsl_utf8_open(text.data, text.len);
    if (!text.len)
        return 0;
    size_t blank = first && c->m->o.prefix_space && text.data[0] != ' ';
    bool bad = !c->m->o.keep_bad && good_bytes(text.data, text.len) < text.len;
    if (!blank && !bad)
        return bytes_pieces(c, text, last, used, &to, err);

    uint64_t ignored = 0;
    size_t len = text.len, done;
    int rc = tsl_mem_grow(&c->text, &c->cap, 3 * text.len + 1 + SLACK, 1, "a text", err);
    if (rc < 0)
        return rc;
    c->text[0] = ' ';
    if (bad)
        repair(text, c->text + blank, &len, SIZE_MAX, &ignored);
    else
        memcpy(c->text + blank, text.data, len);
    struct tsl_slice mine = { c->text, len + blank };
    if (!last) {
        /* what would be certain must be more than the blank, which cannot come again */
        const struct sender nobody = { send_nowhere, NULL,
                                       &(struct tsl_wordcut_counts){ 0 } };
        rc = bytes_pieces(c, mine, false, &done, &nobody, err);
        if (rc < 0 || done <= blank)
            return rc;
    }
    rc = bytes_pieces(c, mine, last, &done, &to, err);
    /* back to where it came from */
    if (bad)
        *used = repair(text, NULL, &len, done - blank, &c->counts.invalid);
    else
        *used = done - blank;
    return rc;
}

static void bytes_counts(const void *cutter, struct tsl_wordcut_counts *sum)
{
    add_counts(sum, &((const struct bytes_cutter *)cutter)->counts);
}

static void bytes_model_destroy(void *model)
{
    struct bytes_model *m = model;
    tsl_splitscan_fini(&m->scan);
    tsl_mem_free(m);
}

static const char *pattern_name(enum tsl_splitpat p)
{
    switch (p) {
    case TSL_SPLITPAT_UNKNOWN: return "none";
    case TSL_SPLITPAT_GPT2: return "gpt2";
    case TSL_SPLITPAT_CL100K: return "cl100k";
    case TSL_SPLITPAT_CL100K_T: return "cl100k-tiktoken";
    case TSL_SPLITPAT_QWEN2: return "qwen2";
    case TSL_SPLITPAT_O200K: return "o200k";
    case TSL_SPLITPAT_TEKKEN: return "tekken";
    case TSL_SPLITPAT_DEEPSEEK: return "deepseek";
    case TSL_SPLITPAT_DIGITS3: return "digits3";
    case TSL_SPLITPAT_CJK: return "cjk";
    case TSL_SPLITPAT_CL100K_ONIG: return "cl100k-onig";
    }
    return "?";
}

int tsl_wordcut_bytes(struct tsl_wordcut *cut, const struct tsl_wordcut_bytes_opts *o,
                      struct tsl_err *err)
{
    static const struct tsl_wordcut_ops ops = { bytes_create, bytes_cut, bytes_counts,
                                                bytes_destroy, bytes_model_destroy };
    *cut = (struct tsl_wordcut){ 0 };
    if (!tsl_splitscan_knows(o->pattern))
        return tsl_err_set(err, TSL_EUSAGE, "the split pattern %s cannot be used here",
                           pattern_name(o->pattern));
    struct bytes_model *m = tsl_mem_alloc(1, sizeof *m, "a cutter", err);
    if (!m)
        return TSL_ENOMEM;
    m->o = *o;
    /* what is ill-formed is repaired before it comes there */
    int rc =
        tsl_splitscan_init(&m->scan, o->pattern, true, NULL, TSL_SPLITSCAN_BEST, err);
    if (rc < 0) {
        tsl_mem_free(m);
        return rc;
    }
    *cut = (struct tsl_wordcut){ .ops = &ops, .model = m, .factor = 4 };
    snprintf(cut->describe, sizeof cut->describe,
             "bytes pattern=%s prefix-space=%d invalid=%s", pattern_name(o->pattern),
             o->prefix_space, o->keep_bad ? "bytes" : "replace");
    return 0;
}

/* ---- spm ------------------------------------------------------------------------------- */

static const uint8_t RESERVED[] = { 0xe2, 0x96, 0x85 }; /* U+2585, the peer's unknown */

struct spm_model {
    struct tsl_wordcut_spm_opts o;
    struct tsl_spmnorm norm;
    uint8_t *charsmap;
    struct tsl_trie symbols; /* with blanks for U+2581 */
    bool starts[256];        /* bytes that one begins with */
    bool spaced;             /* one has a blank: it may reach into the next word */
};

struct spm_cutter {
    const struct spm_model *m;
    struct tsl_spmnorm_run run;
    uint8_t *word; /* with U+2581 again */
    size_t cap;
    bool skipping; /* a text too long to be taken */
    struct tsl_wordcut_counts counts;
};

static void *spm_create(const void *model, struct tsl_err *err)
{
    struct spm_cutter *c = tsl_mem_alloc(1, sizeof *c, "a cutter", err);
    if (c)
        c->m = model;
    return c;
}

static void spm_destroy(void *cutter)
{
    struct spm_cutter *c = cutter;
    if (!c)
        return;
    tsl_spmnorm_fini_run(&c->run);
    tsl_mem_free(c->word);
    tsl_mem_free(c);
}

/* What stands behind a word. */
enum spm_behind { SPM_WORD, SPM_SYMBOL, SPM_END };

/* A word as it is spelled outside.  A tab stands for a symbol behind it, as with the peer: it
 * is counted as a character, and in no piece. */
static int spm_send(struct spm_cutter *c, const uint8_t *p, size_t n,
                    enum spm_behind behind, const struct sender *to, struct tsl_err *err)
{
    size_t len = 0;
    if ((n == 0 && behind != SPM_SYMBOL) || n > WORD_MAX)
        return send_word(to, p, n, err);
    int rc = tsl_mem_grow(&c->word, &c->cap, 3 * n + 1 + SLACK, 1, "a word", err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == ' ' && c->m->norm.escape) {
            memcpy(c->word + len, "\xe2\x96\x81", 3);
            len += 3;
        } else {
            c->word[len++] = p[i];
        }
    }
    if (behind == SPM_SYMBOL)
        c->word[len++] = '\t';
    if (behind == SPM_END && c->m->o.text_ends)
        c->word[len++] = 0;
    return send_word(to, c->word, len, err);
}

/* Bytes of the longest symbol at p; 0: none. */
static size_t spm_symbol(const struct spm_model *m, const uint8_t *p, const uint8_t *end)
{
    uint64_t state = tsl_trie_root(&m->symbols);
    size_t best = 0;
    for (const uint8_t *q = p; q < end && tsl_trie_step(&m->symbols, &state, *q); q++)
        if (tsl_trie_value(&m->symbols, state) >= 0)
            best = (size_t)(q - p) + 1;
    return best;
}

/* A word, cut at symbols.  The peer looks for them in the whole text: one that reaches into
 * the next word is found there, too.  last: text_end is that of the text. */
static int spm_word(struct spm_cutter *c, const uint8_t **at, const uint8_t *end,
                    const uint8_t *text_end, bool last, const struct sender *to,
                    struct tsl_err *err)
{
    const uint8_t *p = *at, *from = p;
    enum spm_behind behind = last && end == text_end ? SPM_END : SPM_WORD;
    int rc = 0;
    if (!c->m->o.nsymbols) {
        *at = end;
        return spm_send(c, p, (size_t)(end - p), behind, to, err);
    }
    while (p < end && rc == 0) {
        /* symbols are UTF-8: none begins within a character */
        size_t n = c->m->starts[*p] ? spm_symbol(c->m, p, text_end) : 0;
        if (n) {
            rc = spm_send(c, from, (size_t)(p - from), SPM_SYMBOL, to, err);
            from = p += n;
        } else {
            p++;
        }
    }
    if (rc == 0 && from < end)
        rc = spm_send(c, from, (size_t)(end - from), behind, to, err);
    *at = p;
    return rc;
}

/* Where the word that begins at p ends. */
static const uint8_t *spm_word_end(const struct spm_model *m, const uint8_t *p,
                                   const uint8_t *end)
{
    if (m->o.whole || !m->norm.escape)
        return end;
    if (!m->o.whitespace_suffix) {
        if (m->o.whitespace_only)
            while (p < end && *p == ' ')
                p++;
        else
            p++; /* whatever it is, it is of this word */
        const uint8_t *q = p < end ? memchr(p, ' ', (size_t)(end - p)) : NULL;
        return q ? q : end;
    }
    const uint8_t *q = memchr(p, ' ', (size_t)(end - p));
    if (!q)
        return end;
    for (q++; m->o.whitespace_only && q < end && *q == ' ';)
        q++;
    return q;
}

static int spm_words(struct spm_cutter *c, size_t n, bool last, const struct sender *to,
                     struct tsl_err *err)
{
    const uint8_t *p = c->run.bytes, *end = p + n;
    int rc = 0;
    while (p < end && rc == 0)
        rc = spm_word(c, &p, spm_word_end(c->m, p, end), end, last, to, err);
    return rc;
}

/* The last place in the normal form's first n bytes where a word begins and the text can be
 * taken up again; 0: none. */
static size_t spm_resume(struct spm_cutter *c, struct tsl_slice text, size_t n,
                         bool *prev_space)
{
    const uint8_t *p = c->run.bytes;
    const struct spm_model *m = c->m;
    if (m->o.whole || m->spaced || !m->norm.escape)
        return 0;
    for (size_t at = n; at-- > 1;) {
        bool begins = m->o.whitespace_suffix ? p[at - 1] == ' ' : p[at] == ' ';
        /* of a run of blanks, where it begins is certain, and where it ends */
        if (m->o.whitespace_only && begins && p[at] == p[at - 1])
            continue;
        size_t seg = 0;
        if (!begins)
            continue;
        (void)tsl_spmnorm_raw(&c->run, &seg, at);
        if (tsl_spmnorm_resume(&m->norm, &c->run, text, seg, at, prev_space))
            return at;
    }
    return 0;
}

static uint64_t spm_invalid(struct tsl_slice text)
{
    const uint8_t *p = text.data, *end = p + text.len;
    uint64_t n = 0;
    while (p < end) {
        uint32_t cp;
        size_t k = tsl_utf8_decode(p, end, &cp);
        n += cp == TSL_UTF8_BAD;
        p += cp == TSL_UTF8_BAD ? 1 : k;
    }
    return n;
}

/* One block of a text; *used: its bytes that are done. */
static int spm_block(struct spm_cutter *c, struct tsl_slice text, bool last, size_t *used,
                     const struct sender *to, struct tsl_err *err)
{
    bool started = c->run.started, before = c->run.prev_space, prev_space = false;
    c->run.invalid = 0;
    int rc = tsl_spmnorm_text(&c->m->norm, &c->run, text, last, err);
    if (rc < 0)
        return rc;
    if (!c->run.started || last) {
        *used = last ? text.len : c->run.raw;
        c->counts.invalid += c->run.invalid;
        return c->run.started ? spm_words(c, c->run.len, last, to, err) : 0;
    }
    size_t n = spm_resume(c, text, c->run.certain, &prev_space), seg = 0;
    *used = n ? tsl_spmnorm_raw(&c->run, &seg, n) : 0;
    if (!*used) {
        c->run.started = started;
        c->run.prev_space = before;
        return 0;
    }
    c->run.prev_space = prev_space;
    if (c->run.invalid)
        c->counts.invalid += spm_invalid((struct tsl_slice){ text.data, *used });
    return spm_words(c, n, false, to, err);
}

/* Whether this text is left out, as by the peer's LoadSentences; 0: more must be seen. */
enum spm_take { SPM_MORE, SPM_TAKE, SPM_LEAVE };

static enum spm_take spm_take(struct spm_cutter *c, struct tsl_slice text, bool last)
{
    size_t most = c->m->o.line_max;
    if (!most)
        return SPM_TAKE;
    if (text.len > most)
        return SPM_LEAVE;
    if (!last)
        return SPM_MORE;
    const uint8_t *p = text.data, *end = p + text.len;
    while (p < end && (p = memchr(p, RESERVED[0], (size_t)(end - p))) != NULL) {
        if (end - p >= 3 && memcmp(p, RESERVED, 3) == 0)
            return SPM_LEAVE;
        p++;
    }
    return SPM_TAKE;
}

static int spm_cut(void *cutter, struct tsl_slice text, bool first, bool last,
                   size_t *used, tsl_wordcut_emit *emit, void *ctx, struct tsl_err *err)
{
    struct spm_cutter *c = cutter;
    const struct sender to = { emit, ctx, &c->counts };
    size_t at = 0, block = BLOCK_BYTES;
    *used = 0;
    if (text.len > UINT32_MAX / 2)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%zu bytes of text at once; at most 2 GiB can be cut",
                           text.len);
    if (first) {
        tsl_spmnorm_begin(&c->run);
        c->skipping = false;
    }
    enum spm_take take = c->skipping ? SPM_LEAVE : spm_take(c, text, last);
    if (take == SPM_LEAVE) {
        c->counts.skipped += !c->skipping;
        c->skipping = true;
        *used = text.len;
        return 0;
    }
    while (take == SPM_TAKE) {
        size_t n = text.len - at < block ? text.len - at : block, done;
        bool end = at + n == text.len;
        struct tsl_slice part = { text.data + at, n };
        int rc = spm_block(c, part, last && end, &done, &to, err);
        if (rc < 0)
            return rc;
        at += done;
        if (end && (last || done == 0 || at == text.len))
            break;
        block = done ? (size_t)BLOCK_BYTES : block * 2;
    }
    *used = at;
    return 0;
}

static void spm_counts(const void *cutter, struct tsl_wordcut_counts *sum)
{
    add_counts(sum, &((const struct spm_cutter *)cutter)->counts);
}

static void spm_model_destroy(void *model)
{
    struct spm_model *m = model;
    tsl_spmnorm_fini(&m->norm);
    if (m->o.nsymbols)
        tsl_trie_fini(&m->symbols);
    tsl_mem_free(m->charsmap);
    tsl_mem_free(m);
}

/* Symbols as they stand in the normal form within this room. */
static int spm_symbols(struct spm_model *m, uint64_t *sum, struct tsl_err *err)
{
    size_t n = 0, bytes = 0, at = 0;
    for (size_t i = 0; i < m->o.nsymbols; i++)
        bytes += m->o.symbols[i].len;
    struct tsl_slice *keys = tsl_mem_alloc(m->o.nsymbols, sizeof *keys, "symbols", err);
    uint8_t *p = tsl_mem_alloc(bytes, 1, "symbols", err);
    int rc = keys && p ? 0 : TSL_ENOMEM;
    *sum = 0;
    for (size_t i = 0; i < m->o.nsymbols && rc == 0; i++) {
        struct tsl_slice s = m->o.symbols[i];
        size_t begin = at;
        if (!s.len)
            continue;
        *sum += tsl_hash64(s.data, s.len, 0);
        for (size_t k = 0; k < s.len;) {
            bool space = m->norm.escape && s.len - k >= 3 &&
                         memcmp(s.data + k, "\xe2\x96\x81", 3) == 0;
            p[at++] = space ? ' ' : s.data[k];
            k += space ? 3 : 1;
        }
        m->starts[p[begin]] = true;
        m->spaced |= memchr(p + begin, ' ', at - begin) != NULL;
        keys[n++] = (struct tsl_slice){ p + begin, at - begin };
    }
    if (rc == 0)
        rc = n ? tsl_trie_build(&m->symbols, keys, NULL, n, err) : 0;
    m->o.nsymbols = rc == 0 ? n : 0;
    m->o.symbols = NULL;
    tsl_mem_free(keys);
    tsl_mem_free(p);
    return rc;
}

int tsl_wordcut_spm(struct tsl_wordcut *cut, const struct tsl_wordcut_spm_opts *o,
                    struct tsl_err *err)
{
    static const struct tsl_wordcut_ops ops = { spm_create, spm_cut, spm_counts,
                                                spm_destroy, spm_model_destroy };
    *cut = (struct tsl_wordcut){ 0 };
    struct spm_model *m = tsl_mem_alloc(1, sizeof *m, "a cutter", err);
    if (!m)
        return TSL_ENOMEM;
    uint64_t symbols = 0;
    struct tsl_slice *map = &m->o.normalizer.charsmap;
    m->o = *o;
    m->o.nsymbols = 0;
    m->charsmap = tsl_mem_alloc(map->len, 1, "a character map", err);
    int rc = m->charsmap ? 0 : TSL_ENOMEM;
    if (rc == 0) {
        if (map->len)
            memcpy(m->charsmap, map->data, map->len);
        map->data = m->charsmap;
        rc = tsl_spmnorm_init(&m->norm, &m->o.normalizer, o->whitespace_suffix, NULL, 0,
                              "the normalizer", err);
    }
    if (rc == 0 && o->nsymbols) {
        m->o.nsymbols = o->nsymbols;
        rc = spm_symbols(m, &symbols, err);
    }
    if (rc < 0) {
        spm_model_destroy(m);
        return rc;
    }
    *cut = (struct tsl_wordcut){ .ops = &ops, .model = m, .factor = 4 };
    snprintf(cut->describe, sizeof cut->describe,
             "spm charsmap=%016" PRIx64 " dummy-prefix=%d remove-extra=%d escape=%d "
             "suffix=%d only=%d whole=%d ends=%d line-max=%zu symbols=%016" PRIx64,
             map->len ? tsl_hash64(map->data, map->len, 0) : 0,
             o->normalizer.add_dummy_prefix, o->normalizer.remove_extra_whitespaces,
             o->normalizer.escape_whitespaces, o->whitespace_suffix, o->whitespace_only,
             o->whole, o->text_ends, o->line_max, symbols);
    return 0;
}

/* ---- hf -------------------------------------------------------------------------------- */

struct hf_model {
    struct tsl_normalizer *normalizer;
    struct tsl_pretok *pretok;
};

struct hf_cutter {
    const struct hf_model *m;
    struct tsl_atext text, scratch;
    struct tsl_pieces pieces;
    struct tsl_wordcut_counts counts;
};

static void *hf_create(const void *model, struct tsl_err *err)
{
    struct hf_cutter *c = tsl_mem_alloc(1, sizeof *c, "a cutter", err);
    if (!c)
        return NULL;
    c->m = model;
    tsl_atext_init(&c->text);
    tsl_atext_init(&c->scratch);
    tsl_pieces_init(&c->pieces);
    return c;
}

static void hf_destroy(void *cutter)
{
    struct hf_cutter *c = cutter;
    if (!c)
        return;
    tsl_atext_fini(&c->text);
    tsl_atext_fini(&c->scratch);
    tsl_pieces_fini(&c->pieces);
    tsl_mem_free(c);
}

static int hf_cut(void *cutter, struct tsl_slice text, bool first, bool last,
                  size_t *used, tsl_wordcut_emit *emit, void *ctx, struct tsl_err *err)
{
    struct hf_cutter *c = cutter;
    const struct sender to = { emit, ctx, &c->counts };
    size_t n;
    (void)first; /* a row is taken whole */
    *used = 0;
    if (!last)
        return 0;
    if (text.len >= UINT32_MAX)
        return tsl_err_set(err, TSL_EFORMAT, "a row of 4 GiB or more");
    int rc = tsl_atext_set(&c->text, text, err);
    if (rc == 0)
        rc = tsl_normalizer_apply(c->m->normalizer, &c->text, &c->scratch, err);
    if (rc == 0)
        rc = tsl_pieces_set(&c->pieces, c->text.len, c->text.len ? c->text.begin[0] : 0,
                            err);
    if (rc == 0)
        rc = tsl_pretok_apply(c->m->pretok, &c->text, &c->scratch, &c->pieces, err);
    for (size_t i = 0; i < c->pieces.n && rc == 0; i++) {
        const struct tsl_piece *p = &c->pieces.p[i];
        const uint8_t *word = c->text.bytes + p->begin;
        uint8_t copy[2 * SLACK] = { 0 };
        n = p->end - p->begin;
        if (p->begin + n + SLACK > c->text.cap && n < SLACK) {
            memcpy(copy, word, n);
            word = copy;
        }
        rc = send_word(&to, word, n, err);
    }
    if (rc < 0)
        return rc;
    if (good_bytes(text.data, text.len) < text.len)
        repair(text, NULL, &n, SIZE_MAX, &c->counts.invalid);
    *used = text.len;
    return 0;
}

static void hf_counts(const void *cutter, struct tsl_wordcut_counts *sum)
{
    add_counts(sum, &((const struct hf_cutter *)cutter)->counts);
}

static void hf_model_destroy(void *model)
{
    struct hf_model *m = model;
    tsl_normalizer_destroy(m->normalizer);
    tsl_pretok_destroy(m->pretok);
    tsl_mem_free(m);
}

int tsl_wordcut_hf(struct tsl_wordcut *cut, struct tsl_normalizer *normalizer,
                   struct tsl_pretok *pretok, const char *what, struct tsl_err *err)
{
    static const struct tsl_wordcut_ops ops = { hf_create, hf_cut, hf_counts, hf_destroy,
                                                hf_model_destroy };
    *cut = (struct tsl_wordcut){ 0 };
    struct hf_model *m = tsl_mem_alloc(1, sizeof *m, "a cutter", err);
    if (!m) {
        tsl_normalizer_destroy(normalizer);
        tsl_pretok_destroy(pretok);
        return TSL_ENOMEM;
    }
    *m = (struct hf_model){ normalizer, pretok };
    *cut = (struct tsl_wordcut){ .ops = &ops, .model = m, .factor = 48 };
    snprintf(cut->describe, sizeof cut->describe, "hf %s", what);
    return 0;
}
