#include "text/bertenc.h"

#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/trie.h"
#include "text/wordcache.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define X86 1
#define TARGET_AVX512                                                                    \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi,bmi2,"   \
                          "popcnt,lzcnt")))
#define TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt")))
#endif

enum {
    /* Text goes through in segments that begin and end where words do. */
    SEGMENT_BYTES = 8 << 10,
    NORM_RATIO = 4,        /* no code point grows more than that when normalised */
    NORM_BYTES = 48 << 10, /* places in it have 16 bits */
    SLACK = 64,            /* vector stores run over by so much */
    NRECORDS = NORM_BYTES,
    BATCH = 256, /* words whose slots are on their way from memory at a time */
};

/* ---- the model ----------------------------------------------------------------------- */

/* An entry of the table of code points: kind in bits 0 to 2, and above it */
enum entry {
    ENTRY_SAME,
    ENTRY_DROP,
    ENTRY_SPACE,
    ENTRY_ALONE, /* the id */
    ENTRY_SHORT, /* length 1 to 3 in bits 3 and 4, bytes from bit 8 on */
    ENTRY_LONG,  /* a place in longs: the length and bytes */
    ENTRY_MIXED,
    ENTRY_SIGMA,
    ENTRY_KIND = 7,
    ENTRY_SHIFT = 3,
};

static const uint32_t NO_UNK = UINT32_MAX >> ENTRY_SHIFT; /* as an id */

enum ascii_class { ASCII_WORD = 1, ASCII_ALONE = 2, ASCII_OTHER = 4 };

/* An array that grows. */
struct longs {
    uint8_t *bytes; /* records of 32: length, UTF-8 */
    size_t n, cap;
};
enum { LONG_BYTES = 1 + TSL_BERTFOLD_BYTES };

struct tsl_bertenc_model {
    struct tsl_bertnorm norm;
    enum tsl_bertenc_cpu cpu;
    uint32_t unk, max_chars;
    size_t longest; /* bytes of the longest token */
    struct tsl_trie trie;
    uint64_t root, cont; /* states: at the beginning of a word, and within */

    uint32_t *table; /* 256 entries a block; the first 256 blocks are the BMP's */
    size_t nblocks, blocks_cap;
    uint16_t beyond[0x1000]; /* block of cp >> 8, less 256 */
    bool cuts[128]; /* ASCII at which text may be cut without a look at context */
    struct longs longs;
    uint8_t ascii[128], lower[128];

    struct tsl_trie specials; /* units is NULL: there are none */
    size_t special_longest;
    bool specials_end_words; /* whatever they begin with stands alone, or is a blank */
    bool special_first[256];
    int special_byte; /* the only first byte; -1: there are several */
};

static uint32_t entry_of(const struct tsl_bertenc_model *m, uint32_t cp)
{
    size_t block = cp >> 8;
    if (block >= 256)
        block = m->beyond[block - 256];
    return m->table[block << 8 | (cp & 255)];
}

static int64_t find_char(const struct tsl_bertenc_model *m, uint32_t cp)
{
    uint8_t c[4];
    return tsl_trie_find(&m->trie, (struct tsl_slice){ c, tsl_utf8_encode(c, cp) });
}

static int make_entry(struct tsl_bertenc_model *m, uint32_t cp, struct tsl_bertchars *t,
                      uint32_t *entry, struct tsl_err *err)
{
    struct tsl_bertfold f;
    *entry = ENTRY_MIXED; /* surrogates: never a code point of text */
    if (cp >= 0xd800 && cp <= 0xdfff)
        return 0;
    int rc = tsl_bertnorm_fold(&m->norm, cp, t, &f, err);
    if (rc < 0)
        return rc;
    switch (f.kind) {
    case TSL_BERTFOLD_SAME: *entry = ENTRY_SAME; break;
    case TSL_BERTFOLD_DROP: *entry = ENTRY_DROP; break;
    case TSL_BERTFOLD_SPACE: *entry = ENTRY_SPACE; break;
    case TSL_BERTFOLD_MIXED: *entry = ENTRY_MIXED; break;
    case TSL_BERTFOLD_SIGMA: *entry = ENTRY_SIGMA; break;
    case TSL_BERTFOLD_ALONE: {
        int64_t id = find_char(m, f.cp);
        *entry = (id < 0 ? m->unk : (uint32_t)id) << ENTRY_SHIFT | ENTRY_ALONE;
        break;
    }
    case TSL_BERTFOLD_WORD:
        if (f.len <= 3) {
            *entry = ENTRY_SHORT | (uint32_t)f.len << ENTRY_SHIFT;
            for (unsigned i = 0; i < f.len; i++)
                *entry |= (uint32_t)f.bytes[i] << (8 + 8 * i);
            break;
        }
        rc = tsl_mem_grow(&m->longs.bytes, &m->longs.cap, m->longs.n + LONG_BYTES, 1,
                          "a table of characters", err);
        if (rc < 0)
            return rc;
        *entry = ENTRY_LONG | (uint32_t)m->longs.n << ENTRY_SHIFT;
        m->longs.bytes[m->longs.n] = f.len;
        memcpy(m->longs.bytes + m->longs.n + 1, f.bytes, TSL_BERTFOLD_BYTES);
        m->longs.n += LONG_BYTES;
        break;
    }
    if (cp < 128) {
        m->cuts[cp] =
            f.cut && (f.kind == TSL_BERTFOLD_SPACE || f.kind == TSL_BERTFOLD_ALONE);
        m->lower[cp] = f.kind == TSL_BERTFOLD_WORD ? f.bytes[0] : (uint8_t)cp;
        m->ascii[cp] = f.kind == TSL_BERTFOLD_ALONE   ? ASCII_ALONE
                       : f.kind == TSL_BERTFOLD_SPACE ? 0
                                                      : ASCII_WORD;
        /* The vector code knows these by their ranges. */
        bool control = (cp < ' ' && cp != '\t' && cp != '\n' && cp != '\r') || cp == 127;
        if (control)
            m->ascii[cp] = ASCII_OTHER;
        bool alnum = (cp >= '0' && cp <= '9') || (cp >= 'A' && cp <= 'Z') ||
                     (cp >= 'a' && cp <= 'z');
        assert(control || (m->ascii[cp] == ASCII_WORD) == alnum);
        assert(control || (m->ascii[cp] == 0) == (cp <= ' '));
    }
    return 0;
}

static int make_table(struct tsl_bertenc_model *m, struct tsl_bertchars *t,
                      struct tsl_err *err)
{
    /* blocks that are one kind without more, or unknown characters, by kind; -1: none */
    int same[ENTRY_KIND + 1];
    const uint32_t unknown = m->unk << ENTRY_SHIFT | ENTRY_ALONE;
    for (unsigned i = 0; i <= ENTRY_KIND; i++)
        same[i] = -1;
    for (uint32_t at = 0; at < 0x110000; at += 256) {
        int rc = tsl_mem_grow(&m->table, &m->blocks_cap, (m->nblocks + 1) * 256,
                              sizeof *m->table, "a table of characters", err);
        if (rc < 0)
            return rc;
        uint32_t *block = m->table + m->nblocks * 256;
        /* Nothing is assigned there, or all is private use, but for the last block of a
         * plane: two of a block stand for all. */
        bool empty = at >= 0x32400 && at >> 12 != 0xe0 && (at & 0xff00) != 0xff00;
        bool uniform = true;
        for (uint32_t i = 0; i < 256; i++) {
            if (empty && i > 0 && i < 255) {
                block[i] = block[0];
                continue;
            }
            rc = make_entry(m, at + i, t, &block[i], err);
            if (rc < 0)
                return rc;
            uniform = uniform && block[i] == block[0];
        }
        if (at < 0x10000) {
            m->nblocks++;
            continue;
        }
        uniform = uniform && (block[0] <= ENTRY_KIND || block[0] == unknown);
        if (uniform && same[block[0] & ENTRY_KIND] >= 0) {
            m->beyond[(at >> 8) - 256] = (uint16_t)same[block[0] & ENTRY_KIND];
            continue;
        }
        if (uniform)
            same[block[0] & ENTRY_KIND] = (int)m->nblocks;
        m->beyond[(at >> 8) - 256] = (uint16_t)m->nblocks++;
    }
    return 0;
}

static bool is_utf8(struct tsl_slice s)
{
    const uint8_t *p = s.data, *end = s.data + s.len;
    while (p < end) {
        uint32_t cp;
        p += tsl_utf8_decode(p, end, &cp);
        if (cp == TSL_UTF8_BAD)
            return false;
    }
    return true;
}

static int make_trie(struct tsl_bertenc_model *m, const struct tsl_vocab *v,
                     const char *prefix, struct tsl_err *err)
{
    size_t n = 0, count = tsl_vocab_count(v);
    int rc = TSL_ENOMEM;
    struct tsl_slice *keys = tsl_mem_alloc(count, sizeof *keys, "a vocabulary", err);
    uint32_t *ids = tsl_mem_alloc(count, sizeof *ids, "a vocabulary", err);
    if (!keys || !ids)
        goto out;
    for (uint32_t id = 0; id < tsl_vocab_size(v); id++) {
        struct tsl_slice s = tsl_vocab_token(v, id);
        if (!s.data || !s.len || !is_utf8(s))
            continue;
        keys[n] = s;
        ids[n++] = id;
        m->longest = s.len > m->longest ? s.len : m->longest;
    }
    rc = tsl_trie_build(&m->trie, keys, ids, n, err);
    if (rc < 0)
        goto out;
    struct tsl_slice p = { (const uint8_t *)prefix, strlen(prefix) };
    m->root = tsl_trie_root(&m->trie);
    m->cont = tsl_trie_walk(&m->trie, m->root, p);
out:
    tsl_mem_free(keys);
    tsl_mem_free(ids);
    return rc;
}

static int make_specials(struct tsl_bertenc_model *m, const struct tsl_bertenc_opts *o,
                         struct tsl_err *err)
{
    int rc = TSL_ENOMEM;
    size_t n = 0;
    struct tsl_slice *keys = tsl_mem_alloc(o->nspecials, sizeof *keys, "tokens", err);
    uint32_t *ids = tsl_mem_alloc(o->nspecials, sizeof *ids, "tokens", err);
    if (!keys || !ids)
        goto out;
    m->special_byte = -1;
    m->specials_end_words = true;
    for (size_t i = 0; i < o->nspecials; i++) {
        struct tsl_slice s = o->specials[i].text;
        if (!s.len)
            continue;
        keys[n] = s;
        ids[n++] = o->specials[i].id;
        m->special_first[s.data[0]] = true;
        m->special_longest = s.len > m->special_longest ? s.len : m->special_longest;
    }
    unsigned firsts = 0;
    for (int b = 0; b < 256; b++)
        if (m->special_first[b]) {
            m->special_byte = b;
            firsts++;
            uint32_t kind = b < 128 ? m->table[b] & ENTRY_KIND : ENTRY_SAME;
            if (kind != ENTRY_ALONE && kind != ENTRY_SPACE)
                m->specials_end_words = false;
        }
    if (firsts > 1)
        m->special_byte = -1;
    rc = n ? tsl_trie_build(&m->specials, keys, ids, n, err) : 0;
out:
    tsl_mem_free(keys);
    tsl_mem_free(ids);
    return rc;
}

static enum tsl_bertenc_cpu cpu_of(enum tsl_bertenc_cpu most)
{
#ifdef X86
    if (most == TSL_BERTENC_CPU_ALL && __builtin_cpu_supports("avx512vbmi2") &&
        __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2"))
        return TSL_BERTENC_CPU_ALL;
    if (most != TSL_BERTENC_CPU_PLAIN && __builtin_cpu_supports("avx2") &&
        __builtin_cpu_supports("bmi2"))
        return TSL_BERTENC_CPU_AVX2;
#endif
    (void)most;
    return TSL_BERTENC_CPU_PLAIN;
}

struct tsl_bertenc_model *tsl_bertenc_model_create(const struct tsl_vocab *v,
                                                   const struct tsl_bertenc_opts *o,
                                                   struct tsl_err *err)
{
    if (tsl_vocab_size(v) >= NO_UNK) {
        tsl_err_set(err, TSL_EFORMAT, "a vocabulary of %lu tokens: more than %lu",
                    (unsigned long)tsl_vocab_size(v), (unsigned long)NO_UNK);
        return NULL;
    }
    struct tsl_bertenc_model *m = tsl_mem_alloc(1, sizeof *m, "a tokenizer", err);
    if (!m)
        return NULL;
    m->norm = tsl_bertnorm_make(o->norm);
    m->cpu = cpu_of(o->cpu);
    m->unk = o->unk < 0 || o->unk >= NO_UNK ? NO_UNK : (uint32_t)o->unk;
    m->max_chars = o->max_chars                    ? o->max_chars
                   : m->norm.rules == TSL_RULES_HF ? 100
                                                   : 200;
    int rc = make_trie(m, v, o->prefix ? o->prefix : "##", err);
    if (rc == 0) {
        struct tsl_bertchars t = { 0 };
        rc = make_table(m, &t, err);
        tsl_bertchars_fini(&t);
    }
    if (rc == 0)
        rc = make_specials(m, o, err);
    if (rc < 0) {
        tsl_bertenc_model_destroy(m);
        return NULL;
    }
    return m;
}

void tsl_bertenc_model_destroy(struct tsl_bertenc_model *m)
{
    if (!m)
        return;
    tsl_trie_fini(&m->trie);
    tsl_trie_fini(&m->specials);
    tsl_mem_free(m->table);
    tsl_mem_free(m->longs.bytes);
    tsl_mem_free(m);
}

/* ---- one word ------------------------------------------------------------------------ */

static size_t count_chars(const uint8_t *p, size_t n)
{
    size_t chars = 0;
    for (size_t i = 0; i < n; i++)
        chars += (p[i] & 0xc0) != 0x80;
    return chars;
}

/* The ids of a word of n > 0 bytes of whole characters: at most max_chars of them, and at
 * least one; ends, unless NULL: where each piece ends.  *unknown: it is the one for unknown
 * words. */
static size_t wordpiece(const struct tsl_bertenc_model *m, const uint8_t *p, size_t n,
                        uint32_t *ids, uint32_t *ends, bool *unknown)
{
    size_t k = 0, at = 0;
    *unknown = false;
    if (n > m->max_chars && count_chars(p, n) > m->max_chars) {
        /* bert4keras gives the word back as it is, and looks it up whole. */
        int64_t id = m->norm.rules == TSL_RULES_BERT4KERAS && n <= m->longest
                         ? tsl_trie_find(&m->trie, (struct tsl_slice){ p, n })
                         : TSL_TRIE_NONE;
        *unknown = id < 0;
        ids[0] = id < 0 ? m->unk : (uint32_t)id;
        if (ends)
            ends[0] = (uint32_t)n;
        return 1;
    }
    uint64_t state = m->root;
    while (at < n) {
        size_t best = 0;
        uint32_t id = 0;
        for (size_t i = at; i < n && tsl_trie_step(&m->trie, &state, p[i]); i++)
            if (state >> 32) {
                id = (uint32_t)(state >> 32) - 1;
                best = i + 1;
            }
        if (!best) {
            ids[0] = m->unk;
            if (ends)
                ends[0] = (uint32_t)n;
            *unknown = true;
            return 1;
        }
        if (ends)
            ends[k] = (uint32_t)best;
        ids[k++] = id;
        at = best;
        state = m->cont;
    }
    return k;
}

/* ---- the coder ----------------------------------------------------------------------- */

/* What one segment after another leaves for flush(): records of words, runs of ids, and
 * ends of rows, in the order of the text.  Record i is
 *   a word, norm[begin[i], end[i]), end[i] > 0;
 *   end[i] 0: run_len[begin[i]] ids from direct[begin[i]] on (RUN_SPECIAL: one special), or
 *   the end of a row, begin[i] being ROW_END. */
struct scan {
    uint8_t *norm;
    uint16_t *begin, *end;
    uint32_t *direct;
    uint16_t *run_len;
    size_t nnorm, nbegin, nend, ndirect; /* nbegin is nend, or nend + 1 within a word */
    size_t run;                          /* the last record's run; NO_RUN */
    uint64_t invalid, unknown;
};
enum { ROW_END = 0xffff, RUN_SPECIAL = 0x8000, RUN_MAX = 0x7fff };
#define NO_RUN SIZE_MAX

struct word {
    struct tsl_wordkey key;
    const struct tsl_wordslot *pair; /* where it may be; a put since may have moved it */
};

struct coder {
    const struct tsl_bertenc_model *m;
    struct tsl_wordcache cache;
    struct scan s;
    struct word words[BATCH];
    void *buffers;
    uint32_t *piece_ids, *piece_ends; /* of one word, the long way */
    size_t ids_cap, ends_cap;
    size_t *ends; /* of the rows that flush meets next */
    struct tsl_bertchars chars;
    uint8_t *word; /* of the long way */
    size_t word_cap;
    /* between stretches of a row */
    struct tsl_bertcontext around;
    bool skipping; /* the rest of a word that is already known to be unknown */
};

static void coder_destroy(void *coder)
{
    struct coder *c = coder;
    if (!c)
        return;
    tsl_wordcache_fini(&c->cache);
    tsl_bertchars_fini(&c->chars);
    tsl_mem_free(c->word);
    tsl_mem_free(c->buffers);
    tsl_mem_free(c->piece_ids);
    tsl_mem_free(c->piece_ends);
    tsl_mem_free(c);
}

static void *coder_create(const void *model, size_t memory, struct tsl_err *err)
{
    const struct tsl_bertenc_model *m = model;
    struct coder *c = tsl_mem_alloc(1, sizeof *c, "a tokenizer", err);
    if (!c)
        return NULL;
    c->m = m;
    size_t nwords = NRECORDS + SLACK, bytes = 0;
    size_t at_norm = bytes;
    bytes += NORM_BYTES + 2 * SLACK;
    size_t at_begin = bytes;
    bytes += nwords * sizeof *c->s.begin;
    size_t at_end = bytes;
    bytes += nwords * sizeof *c->s.end;
    size_t at_run = bytes;
    bytes += nwords * sizeof *c->s.run_len;
    size_t at_direct = bytes;
    bytes += nwords * sizeof *c->s.direct;
    uint8_t *p = c->buffers = tsl_mem_alloc(bytes, 1, "a tokenizer", err);
    if (!p || tsl_wordcache_init(
                  &c->cache, memory > 2 * bytes ? memory - bytes : memory / 2, err) < 0) {
        coder_destroy(c);
        return NULL;
    }
    c->s.norm = p + at_norm;
    c->s.begin = (uint16_t *)(p + at_begin);
    c->s.end = (uint16_t *)(p + at_end);
    c->s.run_len = (uint16_t *)(p + at_run);
    c->s.direct = (uint32_t *)(p + at_direct);
    c->s.run = NO_RUN;
    return c;
}

/* ---- the long way -------------------------------------------------------------------- */

static int missing_unk(struct tsl_slice text, size_t begin, struct tsl_err *err)
{
    (void)text;
    return tsl_err_set(err, TSL_EFORMAT,
                       "the vocabulary has no token for unknown words, but the text has "
                       "such a word, at byte %zu",
                       begin);
}

/* Adds the tokens of text.data[from, to), which begins and ends where words do. */
static int encode_plain(struct coder *c, struct tsl_slice text, size_t from, size_t to,
                        struct tsl_tokens *out, struct tsl_err *err)
{
    const struct tsl_bertenc_model *m = c->m;
    struct tsl_slice part = { text.data + from, to - from };
    struct tsl_bertcontext around =
        tsl_bertnorm_context(&m->norm, text, from, to, c->around);
    int rc = tsl_bertnorm_chars(&m->norm, part, around, &c->chars, err);
    const struct tsl_bertchar *ch = c->chars.c;
    for (size_t i = 0, end; rc == 0 && i < c->chars.n; i = end) {
        size_t n = 0;
        bool unknown;
        for (end = i + 1; end < c->chars.n && !ch[end].first;)
            end++;
        rc = tsl_mem_grow(&c->word, &c->word_cap, 4 * (end - i), 1, "a word", err);
        if (rc == 0)
            rc = tsl_mem_grow(&c->piece_ids, &c->ids_cap, end - i, sizeof *c->piece_ids,
                              "a word", err);
        if (rc == 0)
            rc = tsl_mem_grow(&c->piece_ends, &c->ends_cap, end - i,
                              sizeof *c->piece_ends, "a word", err);
        if (rc < 0)
            return rc;
        for (size_t k = i; k < end; k++)
            n += tsl_utf8_encode(c->word + n, ch[k].cp);
        size_t pieces = wordpiece(m, c->word, n, c->piece_ids, c->piece_ends, &unknown);
        c->s.unknown += unknown;
        if (unknown && m->unk == NO_UNK)
            return missing_unk(text, from + ch[i].begin, err);
        for (size_t j = 0, k = i, at = 0; rc == 0 && j < pieces; j++) {
            uint32_t begin = ch[k].begin, last = begin;
            for (; at < c->piece_ends[j]; k++) {
                uint8_t spare[4];
                at += tsl_utf8_encode(spare, ch[k].cp);
                last = ch[k].end;
            }
            rc = tsl_tokens_add(out, c->piece_ids[j], (uint32_t)from + begin,
                                (uint32_t)from + last,
                                (j ? 0U : TSL_TOKEN_WORD_START) |
                                    (unknown ? (unsigned)TSL_TOKEN_UNKNOWN : 0U),
                                err);
        }
    }
    return rc;
}

/* ---- from bytes to records ----------------------------------------------------------- */

/* Each of these takes what it can of p up to end, and returns what is left: ascii stops at
 * a byte that is not ASCII or is a control character, threes at what is not a character of
 * three bytes that stands alone. */
typedef const uint8_t *scan_fn(const struct tsl_bertenc_model *m, struct scan *s,
                               const uint8_t *p, const uint8_t *end);

static const uint8_t *ascii_plain(const struct tsl_bertenc_model *m, struct scan *s,
                                  const uint8_t *p, const uint8_t *end)
{
    uint16_t *begin = s->begin + s->nbegin, *stop = s->end + s->nend;
    size_t at = s->nnorm;
    bool in = s->nbegin > s->nend;
    for (; p < end && *p < 128; p++) {
        unsigned class = m->ascii[*p];
        if (class == ASCII_OTHER)
            break;
        if (class == ASCII_WORD) {
            *begin = (uint16_t)at;
            begin += !in;
            in = true;
            s->norm[at++] = m->lower[*p];
            continue;
        }
        *stop = (uint16_t)at;
        stop += in;
        in = false;
        if (class == ASCII_ALONE) {
            *begin++ = (uint16_t)at;
            s->norm[at++] = *p;
            *stop++ = (uint16_t)at;
        }
    }
    s->nbegin = (size_t)(begin - s->begin);
    s->nend = (size_t)(stop - s->end);
    s->nnorm = at;
    s->run = NO_RUN;
    return p;
}

static const uint8_t *threes_plain(const struct tsl_bertenc_model *m, struct scan *s,
                                   const uint8_t *p, const uint8_t *end)
{
    size_t n = s->ndirect;
    while (end - p >= 3 && p[0] >= 0xe0 && p[0] <= 0xef && (p[1] & 0xc0) == 0x80 &&
           (p[2] & 0xc0) == 0x80) {
        uint32_t cp = (p[0] & 15U) << 12 | (p[1] & 63U) << 6 | (p[2] & 63U);
        uint32_t entry = m->table[cp];
        if (cp < 0x800 || (entry & ENTRY_KIND) != ENTRY_ALONE)
            break;
        s->direct[n] = entry >> ENTRY_SHIFT;
        s->unknown += s->direct[n++] == m->unk;
        p += 3;
    }
    s->ndirect = n;
    return p;
}

#ifdef X86

/* What a scan of ASCII writes, held in registers. */
struct ascii_out {
    uint16_t *begin, *stop;
    size_t at;
    uint64_t in; /* within a word: 1 */
};

TSL_INLINE struct ascii_out ascii_begin(const struct scan *s)
{
    return (struct ascii_out){ s->begin + s->nbegin, s->end + s->nend, s->nnorm,
                               s->nbegin > s->nend };
}

TSL_INLINE void ascii_end(struct scan *s, const struct ascii_out *o)
{
    s->nbegin = (size_t)(o->begin - s->begin);
    s->nend = (size_t)(o->stop - s->end);
    s->nnorm = o->at;
    s->run = NO_RUN;
}

/* Of n bytes, 1 to 64: bits for those of words and those that stand alone. */
struct ascii_block {
    uint64_t word, alone;
    size_t n;
};

struct ascii_edges {
    uint64_t begins, ends;
};

TSL_INLINE struct ascii_edges ascii_edges(const struct ascii_block *k,
                                          struct ascii_out *o)
{
    uint64_t valid = ~UINT64_C(0) >> (64 - k->n), w = k->word & valid,
             a = k->alone & valid, before = w << 1 | o->in;
    o->in = w >> (k->n - 1) & 1;
    return (struct ascii_edges){ (w & ~before) | a, ((~w & before) | a << 1) & valid };
}

/* What stands alone at the end of the block ends there, too. */
TSL_INLINE void ascii_advance(const struct ascii_block *k, struct ascii_out *o)
{
    o->at += k->n;
    *o->stop = (uint16_t)o->at;
    o->stop += k->alone >> (k->n - 1) & 1;
}

/* The places of the bits, counted from base on; returns how many.  Stores up to 64. */
TARGET_AVX512 TSL_INLINE unsigned put_places_avx512(uint16_t *to, uint64_t bits,
                                                    size_t base)
{
    const __m512i places =
        _mm512_set_epi8(63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48,
                        47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32,
                        31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16,
                        15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i from = _mm512_set1_epi16((short)base);
    unsigned n = (unsigned)__builtin_popcountll(bits);
    __m512i x = _mm512_maskz_compress_epi8(bits, places);
    _mm512_storeu_si512(
        to, _mm512_add_epi16(from, _mm512_cvtepu8_epi16(_mm512_castsi512_si256(x))));
    if (TSL_UNLIKELY(n > 31))
        _mm512_storeu_si512(
            to + 32, _mm512_add_epi16(
                         from, _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(x, 1))));
    return n;
}

TARGET_AVX512 static const uint8_t *ascii_avx512(const struct tsl_bertenc_model *m,
                                                 struct scan *s, const uint8_t *p,
                                                 const uint8_t *end)
{
    const __m512i class_lo = _mm512_loadu_si512(m->ascii),
                  class_hi = _mm512_loadu_si512(m->ascii + 64),
                  lower_lo = _mm512_loadu_si512(m->lower),
                  lower_hi = _mm512_loadu_si512(m->lower + 64),
                  is_word = _mm512_set1_epi8(ASCII_WORD),
                  is_alone = _mm512_set1_epi8(ASCII_ALONE),
                  is_other = _mm512_set1_epi8(ASCII_OTHER);
    struct ascii_out o = ascii_begin(s);
    while (p < end) {
        size_t len = end - p < 64 ? (size_t)(end - p) : 64;
        __m512i v, class;
        uint64_t bad;
        if (TSL_LIKELY(len == 64)) {
            v = _mm512_loadu_si512(p);
            class = _mm512_permutex2var_epi8(class_lo, v, class_hi);
            bad = _mm512_movepi8_mask(v) | _mm512_test_epi8_mask(class, is_other);
        } else {
            v = _mm512_maskz_loadu_epi8(_bzhi_u64(~UINT64_C(0), (unsigned)len), p);
            class = _mm512_permutex2var_epi8(class_lo, v, class_hi);
            /* what is not there is NUL, a control character: it ends the block */
            bad = _mm512_movepi8_mask(v) | _mm512_test_epi8_mask(class, is_other) |
                  ~UINT64_C(0) << len;
        }
        _mm512_storeu_si512(s->norm + o.at,
                            _mm512_permutex2var_epi8(lower_lo, v, lower_hi));
        struct ascii_block k = { _mm512_test_epi8_mask(class, is_word),
                                 _mm512_test_epi8_mask(class, is_alone), 64 };
        if (TSL_UNLIKELY(bad)) {
            k.n = (size_t)__builtin_ctzll(bad);
            if (!k.n)
                break;
        }
        struct ascii_edges e = ascii_edges(&k, &o);
        o.begin += put_places_avx512(o.begin, e.begins, o.at);
        o.stop += put_places_avx512(o.stop, e.ends, o.at);
        ascii_advance(&k, &o);
        p += k.n;
        if (k.n < 64)
            break;
    }
    ascii_end(s, &o);
    return p;
}

/* Decodes characters of three bytes from p on, until there is something else; returns how
 * many.  Stores up to 16 more. */
TARGET_AVX512 static size_t decode_threes_avx512(const uint8_t *p, const uint8_t *end,
                                                 uint32_t *cps)
{
    /* lane i gets bytes 3 i + 2, 3 i + 1, 3 i, and a zero */
    static const uint8_t lanes[64] = { 2,  1,  0,  63, 5,  4,  3,  63, 8,  7,  6,  63, 11,
                                       10, 9,  63, 14, 13, 12, 63, 17, 16, 15, 63, 20, 19,
                                       18, 63, 23, 22, 21, 63, 26, 25, 24, 63, 29, 28, 27,
                                       63, 32, 31, 30, 63, 35, 34, 33, 63, 38, 37, 36, 63,
                                       41, 40, 39, 63, 44, 43, 42, 63, 47, 46, 45, 63 };
    const __m512i order = _mm512_loadu_si512(lanes);
    size_t n = 0;
    for (unsigned k = 16; p < end && k == 16; p += 48) {
        size_t len = end - p < 48 ? (size_t)(end - p) : 48;
        __m512i v = _mm512_maskz_loadu_epi8(_bzhi_u64(~UINT64_C(0), (unsigned)len), p);
        __m512i x = _mm512_permutexvar_epi8(order, v);
        unsigned ok =
            _mm512_cmpeq_epi32_mask(_mm512_and_si512(x, _mm512_set1_epi32(0xf0c0c0)),
                                    _mm512_set1_epi32(0xe08080));
        __m512i cp = _mm512_or_si512(
            _mm512_or_si512(
                _mm512_and_si512(x, _mm512_set1_epi32(0x3f)),
                _mm512_and_si512(_mm512_srli_epi32(x, 2), _mm512_set1_epi32(0xfc0))),
            _mm512_and_si512(_mm512_srli_epi32(x, 4), _mm512_set1_epi32(0xf000)));
        ok &= _mm512_cmpge_epu32_mask(cp, _mm512_set1_epi32(0x800));
        _mm512_storeu_si512(cps + n, cp);
        k = (unsigned)__builtin_ctz(~ok);
        n += k;
    }
    return n;
}

/* The look-ups are plain loads: the gather instruction is slower, and much slower where the
 * CPU's maker has mended it. */
static const uint8_t *threes_avx512(const struct tsl_bertenc_model *m, struct scan *s,
                                    const uint8_t *p, const uint8_t *end)
{
    uint32_t *to = s->direct + s->ndirect, unk = m->unk;
    const uint32_t *table = m->table;
    size_t unknown = 0;
    /* a little at first: in Japanese text the next character is often another's */
    for (size_t some = 16;; some = 64) {
        const uint8_t *stop = (size_t)(end - p) > 3 * some ? p + 3 * some : end;
        size_t n = decode_threes_avx512(p, stop, to), i = 0;
        for (; i < n; i++) {
            uint32_t entry = table[to[i]];
            if (TSL_UNLIKELY((entry & ENTRY_KIND) != ENTRY_ALONE))
                break;
            to[i] = entry >> ENTRY_SHIFT;
            unknown += to[i] == unk;
        }
        to += i;
        p += 3 * i;
        if (i < some)
            break;
    }
    s->ndirect = (size_t)(to - s->direct);
    s->unknown += unknown;
    return p;
}

/* Looks at 32 bytes, writes them in lower case, and adds their bits at `half`; *bad: those
 * that end the scan. */
TARGET_AVX2 TSL_INLINE void classify_avx2(const uint8_t *p, uint8_t *norm,
                                          __m256i to_lower, unsigned half,
                                          struct ascii_block *k, uint64_t *bad)
{
    __m256i v = _mm256_loadu_si256((const __m256i *)p);
    __m256i fold = _mm256_or_si256(v, _mm256_set1_epi8(0x20));
    /* signed: bytes from 0x80 on are below all */
    __m256i alpha = _mm256_and_si256(_mm256_cmpgt_epi8(fold, _mm256_set1_epi8('a' - 1)),
                                     _mm256_cmpgt_epi8(_mm256_set1_epi8('z' + 1), fold));
    __m256i digit = _mm256_and_si256(_mm256_cmpgt_epi8(v, _mm256_set1_epi8('0' - 1)),
                                     _mm256_cmpgt_epi8(_mm256_set1_epi8('9' + 1), v));
    __m256i upper = _mm256_and_si256(alpha, _mm256_cmpgt_epi8(_mm256_set1_epi8('a'), v));
    __m256i blank =
        _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8(' ')),
                                        _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\n'))),
                        _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('\t')),
                                        _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\r'))));
    __m256i other = _mm256_andnot_si256(
        blank, _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(' '), v),
                               _mm256_cmpeq_epi8(v, _mm256_set1_epi8(127))));
    __m256i word = _mm256_or_si256(alpha, digit);
    __m256i rest = _mm256_or_si256(_mm256_or_si256(word, blank), other);
    _mm256_storeu_si256((__m256i *)norm,
                        _mm256_add_epi8(v, _mm256_and_si256(upper, to_lower)));
    k->word |= (uint64_t)(uint32_t)_mm256_movemask_epi8(word) << half;
    k->alone |= (uint64_t)(uint32_t)~_mm256_movemask_epi8(rest) << half;
    *bad |= (uint64_t)(uint32_t)_mm256_movemask_epi8(other) << half;
}

TARGET_AVX2 TSL_INLINE uint16_t *put_places_avx2(uint16_t *to, uint64_t bits, size_t base)
{
    for (; bits; bits &= bits - 1)
        *to++ = (uint16_t)(base + (size_t)__builtin_ctzll(bits));
    return to;
}

TARGET_AVX2 static const uint8_t *ascii_avx2(const struct tsl_bertenc_model *m,
                                             struct scan *s, const uint8_t *p,
                                             const uint8_t *end)
{
    struct ascii_out o = ascii_begin(s);
    const __m256i to_lower = _mm256_set1_epi8(m->lower['A'] != 'A' ? 0x20 : 0);
    bool stopped = false;
    while (!stopped && end - p >= 64) {
        struct ascii_block k = { 0, 0, 64 };
        uint64_t bad = 0;
        for (unsigned half = 0; half < 64; half += 32)
            classify_avx2(p + half, s->norm + o.at + half, to_lower, half, &k, &bad);
        stopped = bad;
        if (bad)
            k.n = (size_t)__builtin_ctzll(bad);
        if (!k.n)
            break;
        struct ascii_edges e = ascii_edges(&k, &o);
        o.begin = put_places_avx2(o.begin, e.begins, o.at);
        o.stop = put_places_avx2(o.stop, e.ends, o.at);
        ascii_advance(&k, &o);
        p += k.n;
    }
    ascii_end(s, &o);
    return stopped ? p : ascii_plain(m, s, p, end);
}

#endif

static const struct scan_fns {
    scan_fn *ascii, *threes;
} scan_fns[] = {
#ifdef X86
    [TSL_BERTENC_CPU_ALL] = { ascii_avx512, threes_avx512 },
    [TSL_BERTENC_CPU_AVX2] = { ascii_avx2, threes_plain },
#endif
    [TSL_BERTENC_CPU_PLAIN] = { ascii_plain, threes_plain },
};

static void add_run(struct scan *s, size_t from)
{
    size_t n = s->ndirect - from;
    if (s->run == NO_RUN) {
        s->run = from;
        s->run_len[from] = 0;
        s->begin[s->nbegin++] = (uint16_t)from;
        s->end[s->nend++] = 0;
    }
    s->run_len[s->run] = (uint16_t)(s->run_len[s->run] + n);
}

static void end_word(struct scan *s)
{
    if (s->nbegin > s->nend)
        s->end[s->nend++] = (uint16_t)s->nnorm;
}

/* What comes now is part of a word. */
TSL_INLINE void begin_word(struct scan *s)
{
    if (s->nbegin == s->nend)
        s->begin[s->nbegin++] = (uint16_t)s->nnorm;
    s->run = NO_RUN;
}

/* The character at p, of *len bytes, as the table has it; U+FFFD for what is none. */
TSL_INLINE uint32_t take_entry(const struct tsl_bertenc_model *m, struct scan *s,
                               const uint8_t *p, const uint8_t *end, size_t *len)
{
    uint32_t cp;
    *len = tsl_utf8_decode(p, end, &cp);
    if (TSL_LIKELY(cp != TSL_UTF8_BAD))
        return entry_of(m, cp);
    s->invalid++;
    uint32_t entry = entry_of(m, TSL_UTF8_REPLACEMENT);
    if (entry == ENTRY_SAME) /* but not as it is */
        entry = ENTRY_SHORT | 3 << ENTRY_SHIFT | 0xbdbfef00U;
    return entry;
}

/* Takes the character at *p; with one of three bytes that stands alone, others like it
 * behind it.  false: the long way must see to it. */
TSL_INLINE bool take_char(struct coder *c, const struct scan_fns *f,
                          struct tsl_slice text, const uint8_t **p, const uint8_t *end)
{
    const struct tsl_bertenc_model *m = c->m;
    struct scan *s = &c->s;
    size_t len;
    uint32_t entry = take_entry(m, s, *p, end, &len);
    switch (entry & ENTRY_KIND) {
    case ENTRY_SAME:
        begin_word(s);
        memcpy(s->norm + s->nnorm, *p, len);
        s->nnorm += len;
        break;
    case ENTRY_SHORT:
        begin_word(s);
        tsl_store32(s->norm + s->nnorm, entry >> 8);
        s->nnorm += entry >> ENTRY_SHIFT & 3;
        break;
    case ENTRY_LONG: {
        const uint8_t *record = m->longs.bytes + (entry >> ENTRY_SHIFT);
        begin_word(s);
        memcpy(s->norm + s->nnorm, record + 1, TSL_BERTFOLD_BYTES);
        s->nnorm += *record;
        break;
    }
    case ENTRY_SIGMA:
        begin_word(s);
        s->nnorm += tsl_utf8_encode(
            s->norm + s->nnorm,
            tsl_bertnorm_sigma(&m->norm, text, (size_t)(*p - text.data), c->around));
        break;
    case ENTRY_SPACE: end_word(s); break;
    case ENTRY_ALONE: {
        end_word(s);
        size_t before = s->ndirect;
        s->direct[s->ndirect] = entry >> ENTRY_SHIFT;
        s->unknown += s->direct[s->ndirect++] == m->unk;
        if (len == 3)
            *p = f->threes(m, s, *p + 3, end) - 3;
        add_run(s, before);
        break;
    }
    case ENTRY_MIXED: return false;
    default: break; /* ENTRY_DROP */
    }
    *p += len;
    return true;
}

/* Takes text.data[from, to), at most SEGMENT_BYTES, for which there is room.  false: there
 * is something in it that the long way must see to.  It begins and ends where words do,
 * unless not ends_word. */
static bool scan_segment(struct coder *c, struct tsl_slice text, size_t from, size_t to,
                         bool ends_word)
{
    const struct scan_fns *f = &scan_fns[c->m->cpu];
    struct scan *s = &c->s;
    const uint8_t *p = text.data + from, *end = text.data + to;
    s->run = NO_RUN; /* what is taken back if this fails must not lie in an older run */
    while (p < end) {
        if (*p < 128) {
            p = f->ascii(c->m, s, p, end);
            if (p == end)
                break;
        }
        do {
            if (!take_char(c, f, text, &p, end))
                return false;
            /* on with single characters, unless there is some ASCII ahead */
        } while (p < end &&
                 (end - p < 8 || (tsl_load64(p) & UINT64_C(0x8080808080808080))));
    }
    if (ends_word)
        end_word(s);
    return true;
}

/* ---- from records to ids ------------------------------------------------------------- */

static void put_marks(uint8_t *to, size_t n, unsigned first)
{
    /* nearly always this is enough, and one store; there is room behind */
    memset(to, 0, 16);
    if (TSL_UNLIKELY(n > 16))
        memset(to, 0, n);
    *to = (uint8_t)first;
}

/* A word that the cache does not have, or cannot have (w is not used then).  There is
 * room in out. */
static void resolve_word(struct coder *c, const uint8_t *p, size_t len,
                         const struct word *w, bool marks, struct tsl_tokens *out)
{
    bool unknown;
    size_t n = wordpiece(c->m, p, len, out->ids + out->n, NULL, &unknown);
    if (len <= TSL_WORDKEY_MAX)
        tsl_wordcache_put(&c->cache, w->key, tsl_wordkey_hash(w->key), out->ids + out->n,
                          n, unknown);
    if (marks)
        put_marks(out->marks + out->n, n,
                  TSL_TOKEN_WORD_START | (unknown ? TSL_TOKEN_UNKNOWN : 0U));
    out->n += n;
    c->s.unknown += unknown;
}

static void resolve_run(struct coder *c, size_t at, bool marks, struct tsl_tokens *out)
{
    struct scan *s = &c->s;
    size_t n = s->run_len[at] & RUN_MAX;
    /* sixteen at a time; there is room behind both */
    for (size_t i = 0; i < n; i += 16)
        memcpy(out->ids + out->n + i, s->direct + at + i, 16 * sizeof *out->ids);
    if (marks) {
        unsigned special = s->run_len[at] & RUN_SPECIAL ? TSL_TOKEN_SPECIAL : 0U;
        for (size_t i = 0; i < n; i++)
            out->marks[out->n + i] =
                (uint8_t)(TSL_TOKEN_WORD_START | special |
                          (!special && s->direct[at + i] == c->m->unk ? TSL_TOKEN_UNKNOWN
                                                                      : 0U));
    }
    out->n += n;
}

/* A batch in two phases: first the keys of all its words, so that their slots are fetched
 * while the next keys are made; then the slots. */
TSL_INLINE void resolve(struct coder *c, bool marks, struct tsl_tokens *out)
{
    /* a slot's ids and what is behind them, in one store */
    enum { SLOT_TAIL_BYTES = sizeof(struct tsl_wordslot) - sizeof(struct tsl_wordkey) };
    const struct scan *s = &c->s;
    uint64_t unknown = 0;
    uint32_t *to = out->ids + out->n;
    for (size_t from = 0; from < s->nend; from += BATCH) {
        size_t n = s->nend - from < BATCH ? s->nend - from : BATCH;
        const uint16_t *begin = s->begin + from, *end = s->end + from;
        const struct tsl_wordcache cache = c->cache;
        const uint8_t *norm = s->norm;
        struct word *words = c->words;
        for (size_t i = 0; i < n; i++) {
            size_t len = (size_t)end[i] - begin[i];
            words[i].pair = NULL;
            if (TSL_UNLIKELY(len - 1 >= TSL_WORDKEY_MAX))
                continue; /* too long, or not a word: end is 0 */
            struct tsl_wordkey k = tsl_wordkey_make(norm + begin[i], len);
            const struct tsl_wordslot *pair =
                &cache.slots[2 * (tsl_wordkey_hash(k) & cache.mask)];
            TSL_PREFETCH(pair);
            words[i].key = k;
            words[i].pair = pair;
        }
        for (size_t i = 0; i < n; i++) {
            const struct word *w = &words[i];
            const struct tsl_wordslot *slot = NULL;
            if (TSL_LIKELY(w->pair))
                slot = tsl_wordslot_find(w->pair, w->key);
            if (TSL_UNLIKELY(!slot)) {
                out->n = (size_t)(to - out->ids);
                if (end[i])
                    resolve_word(c, norm + begin[i], (size_t)end[i] - begin[i], w, marks,
                                 out);
                else if (begin[i] == ROW_END)
                    *c->ends++ = out->n;
                else
                    resolve_run(c, begin[i], marks, out);
                to = out->ids + out->n;
                continue;
            }
            size_t count = slot->n;
            if (marks)
                put_marks(out->marks + (to - out->ids), count,
                          TSL_TOKEN_WORD_START | (slot->flags ? TSL_TOKEN_UNKNOWN : 0U));
            unknown += slot->flags;
            memcpy(to, slot->ids, SLOT_TAIL_BYTES);
            if (TSL_UNLIKELY(count > TSL_WORDSLOT_INLINE))
                memcpy(to, cache.more + slot->ids[0], count * sizeof *to);
            to += count;
        }
    }
    out->n = (size_t)(to - out->ids);
    c->s.unknown += unknown;
}

static void resolve_ids(struct coder *c, struct tsl_tokens *out)
{
    resolve(c, false, out);
}

static void resolve_marks(struct coder *c, struct tsl_tokens *out)
{
    resolve(c, true, out);
}

/* Adds what has been scanned. */
static int flush(struct coder *c, struct tsl_tokens *out, struct tsl_err *err)
{
    struct scan *s = &c->s;
    assert(s->nbegin == s->nend);
    int rc = tsl_tokens_reserve(out, s->nnorm + s->ndirect + SLACK, err);
    if (rc < 0)
        return rc;
    (out->want & TSL_WANT_MARKS ? resolve_marks : resolve_ids)(c, out);
    s->nbegin = s->nend = s->nnorm = s->ndirect = 0;
    s->run = NO_RUN;
    return 0;
}

static int make_room(struct coder *c, size_t bytes, struct tsl_tokens *out,
                     struct tsl_err *err)
{
    struct scan *s = &c->s;
    if (s->nnorm + NORM_RATIO * bytes + SLACK <= NORM_BYTES &&
        s->nbegin + bytes + SLACK <= NRECORDS && s->ndirect + bytes + SLACK <= NRECORDS)
        return 0;
    return flush(c, out, err);
}

/* ---- rows ---------------------------------------------------------------------------- */

/* The last place in text.data(from, to] where a word ends whatever follows: behind a blank
 * or a character that stands alone.  hard: where no rule looks across, either.  from: there
 * is none. */
static size_t last_cut(const struct tsl_bertenc_model *m, struct tsl_slice text,
                       size_t from, size_t to, bool hard)
{
    const uint8_t *end = text.data + text.len;
    for (size_t at = to; at > from;) {
        uint32_t cp, entry;
        const uint8_t *p = text.data + --at;
        if (*p < 128) {
            if (m->cuts[*p] || (!hard && m->ascii[*p] != ASCII_WORD &&
                                ((m->table[*p] & ENTRY_KIND) == ENTRY_SPACE ||
                                 (m->table[*p] & ENTRY_KIND) == ENTRY_ALONE)))
                return at + 1;
            continue;
        }
        if (*p < 0xc2)
            continue;
        size_t len = tsl_utf8_decode(p, end, &cp);
        if (cp == TSL_UTF8_BAD || at + len > to)
            continue;
        entry = entry_of(m, cp) & ENTRY_KIND;
        if (entry != ENTRY_SPACE && entry != ENTRY_ALONE)
            continue;
        if (!hard || tsl_bertnorm_cuts(&m->norm, cp))
            return at + len;
    }
    return from;
}

/* The rule that looks across is that of the last sigma of a word (U+03A3). */
static bool has_sigma(const uint8_t *p, size_t n)
{
    for (const uint8_t *end = p + n; (p = memchr(p, 0xce, (size_t)(end - p))); p++)
        if (end - p > 1 && p[1] == 0xa3)
            return true;
    return false;
}

/* A word, as far as text goes. */
struct giant {
    size_t end; /* of the word, or of what can be told of it */
    bool ended;
    size_t chars;              /* at least so many, when it is normalised */
    size_t kept_from, kept_to; /* from the first of them to the last */
};

static struct giant look_ahead(const struct tsl_bertenc_model *m, struct tsl_slice text,
                               size_t from, bool last)
{
    struct giant g = { .end = from };
    const uint8_t *p = text.data + from, *end = text.data + text.len;
    while (p < end) {
        uint32_t cp;
        size_t len = tsl_utf8_decode(p, end, &cp);
        if (cp == TSL_UTF8_BAD) {
            if (!last && end - p < 4)
                break; /* the character may go on */
            cp = TSL_UTF8_REPLACEMENT;
        }
        size_t at = (size_t)(p - text.data);
        switch (entry_of(m, cp) & ENTRY_KIND) {
        case ENTRY_SPACE:
        case ENTRY_ALONE: g.ended = true; return g;
        case ENTRY_DROP: break;
        default:
            if (!g.chars++)
                g.kept_from = at;
            g.kept_to = at + len;
        }
        p += len;
        g.end = at + len;
    }
    g.ended = last;
    return g;
}

/* Whether the word is unknown whatever follows. */
static bool is_hopeless(const struct tsl_bertenc_model *m, const struct giant *g)
{
    return m->unk != NO_UNK && g->chars > m->max_chars &&
           (m->norm.rules != TSL_RULES_BERT4KERAS || g->chars > m->longest);
}

static int add_unknown(struct coder *c, const struct giant *g, struct tsl_tokens *out,
                       struct tsl_err *err)
{
    c->s.unknown++;
    return tsl_tokens_add(out, c->m->unk, (uint32_t)g->kept_from, (uint32_t)g->kept_to,
                          TSL_TOKEN_WORD_START | TSL_TOKEN_UNKNOWN, err);
}

/* Adds the word that begins at *from, ends at to or before, and is longer than a segment;
 * *from is set to its end. */
static int encode_giant(struct coder *c, struct tsl_slice text, size_t *from, size_t to,
                        bool plain, struct tsl_tokens *out, struct tsl_err *err)
{
    struct tsl_slice part = { text.data, to };
    struct giant g = look_ahead(c->m, part, *from, true);
    size_t begin = *from;
    *from = g.end;
    int rc = flush(c, out, err);
    if (rc < 0)
        return rc;
    if (is_hopeless(c->m, &g))
        return add_unknown(c, &g, out, err);
    /* So little is left of it that it fits whatever is dropped in between. */
    if (!plain && g.chars * TSL_BERTFOLD_BYTES <= NORM_BYTES / 2) {
        struct scan before = c->s;
        bool done = true;
        for (size_t at = begin, end; done && at < g.end; at = end) {
            end = g.end - at > SEGMENT_BYTES ? at + SEGMENT_BYTES : g.end;
            for (int i = 0; i < 3 && end < g.end && (text.data[end] & 0xc0) == 0x80; i++)
                end--;
            done = scan_segment(c, text, at, end, end == g.end);
        }
        if (done)
            return 0;
        c->s = before;
    }
    return encode_plain(c, text, begin, g.end, out, err);
}

/* Adds the tokens of text.data[from, to), which has no special text in it and begins and
 * ends where words do. */
static int encode_part(struct coder *c, struct tsl_slice text, size_t from, size_t to,
                       struct tsl_tokens *out, struct tsl_err *err)
{
    const struct tsl_bertenc_model *m = c->m;
    bool plain = (out->want & TSL_WANT_SPANS) || m->unk == NO_UNK;
    int rc = 0;
    while (rc == 0 && from < to) {
        size_t end = to;
        if (to - from > SEGMENT_BYTES) {
            end = last_cut(m, text, from, from + SEGMENT_BYTES, false);
            if (end == from) {
                rc = encode_giant(c, text, &from, to, plain, out, err);
                continue;
            }
        }
        if (!plain) {
            rc = make_room(c, end - from, out, err);
            if (rc < 0)
                break;
            struct scan before = c->s;
            if (scan_segment(c, text, from, end, true)) {
                from = end;
                continue;
            }
            c->s = before;
            c->s.run = NO_RUN;
        }
        rc = flush(c, out, err);
        if (rc == 0)
            rc = encode_plain(c, text, from, end, out, err);
        from = end;
    }
    return rc;
}

/* The first special at or behind `from` that begins before to: its place, and its length
 * and id; to: there is none. */
static size_t find_special(const struct tsl_bertenc_model *m, struct tsl_slice text,
                           size_t from, size_t to, size_t *len, uint32_t *id)
{
    if (!m->specials.units)
        return to;
    for (size_t at = from; at < to; at++) {
        if (m->special_byte >= 0) {
            const uint8_t *p = memchr(text.data + at, m->special_byte, to - at);
            if (!p)
                return to;
            at = (size_t)(p - text.data);
        } else if (!m->special_first[text.data[at]]) {
            continue;
        }
        uint64_t state = tsl_trie_root(&m->specials);
        *len = 0;
        for (size_t i = at;
             i < text.len && tsl_trie_step(&m->specials, &state, text.data[i]); i++)
            if (state >> 32) {
                *len = i + 1 - at;
                *id = (uint32_t)(state >> 32) - 1;
            }
        if (*len)
            return at;
    }
    return to;
}

static int add_special(struct coder *c, uint32_t id, size_t at, size_t len,
                       struct tsl_tokens *out, struct tsl_err *err)
{
    struct scan *s = &c->s;
    bool spans = out->want & TSL_WANT_SPANS;
    int rc = spans ? flush(c, out, err) : make_room(c, 1, out, err);
    if (rc < 0)
        return rc;
    if (spans)
        return tsl_tokens_add(out, id, (uint32_t)at, (uint32_t)(at + len),
                              TSL_TOKEN_SPECIAL | TSL_TOKEN_WORD_START, err);
    s->run = NO_RUN;
    size_t before = s->ndirect;
    s->direct[s->ndirect++] = id;
    add_run(s, before);
    s->run_len[before] |= RUN_SPECIAL;
    s->run = NO_RUN;
    return 0;
}

/* Adds the tokens of text.data[0, to), to being a place where words end; special text that
 * begins before goes beyond.  Returns where it stopped in *used. */
static int encode_to(struct coder *c, struct tsl_slice text, size_t to, size_t *used,
                     struct tsl_tokens *out, struct tsl_err *err)
{
    size_t from = 0;
    int rc = 0;
    while (rc == 0 && from < to) {
        size_t len = 0;
        uint32_t id = 0;
        size_t at = find_special(c->m, text, from, to, &len, &id);
        /* What is cut off here is a text of its own for the peer. */
        struct tsl_slice part = { text.data, len ? at : text.len };
        if (at > from)
            rc = encode_part(c, part, from, at, out, err);
        if (rc == 0 && len)
            rc = add_special(c, id, at, len, out, err);
        from = at + len;
    }
    *used = from;
    return rc;
}

static int row_too_long(size_t len, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT,
                       "a stretch of %zu bytes: places in text are counted up to 4 GiB",
                       len);
}

static int coder_encode(void *coder, struct tsl_slice text, bool first, bool last,
                        size_t *used, struct tsl_tokens *out, struct tsl_err *err)
{
    struct coder *c = coder;
    const struct tsl_bertenc_model *m = c->m;
    size_t done = 0, to, skipped = 0;
    int rc = 0;
    bool spans = out->want & TSL_WANT_SPANS;
    if (first) {
        c->around = (struct tsl_bertcontext){ false, false };
        c->skipping = false;
    }
    if (spans && text.len >= UINT32_MAX)
        return row_too_long(text.len, err);
    if (c->skipping) {
        struct giant g = look_ahead(m, text, 0, last);
        skipped = g.end;
        c->skipping = !g.ended;
    }
    struct tsl_slice rest = { text.data + skipped, text.len - skipped };
    if (c->skipping || last) {
        to = c->skipping ? 0 : rest.len;
    } else {
        size_t sure = rest.len;
        if (m->specials.units)
            sure = sure < m->special_longest ? 0 : sure - (m->special_longest - 1);
        to = last_cut(m, rest, 0, sure, true);
        if (to == 0 && sure > 2 * SEGMENT_BYTES && !has_sigma(rest.data, sure))
            to = last_cut(m, rest, 0, sure, false);
        if (to == 0 && !spans && m->specials_end_words) {
            /* one word and no end: it goes as soon as it is clear what comes of it */
            struct giant g = look_ahead(m, rest, 0, false);
            c->skipping = !g.ended && is_hopeless(m, &g);
            if (c->skipping)
                rc = add_unknown(c, &g, out, err);
            if (!g.ended && (c->skipping || g.chars == 0))
                done = g.end;
        }
    }
    if (to > 0)
        rc = encode_to(c, rest, to, &done, out, err);
    if (rc == 0)
        rc = flush(c, out, err);
    if (rc < 0) {
        c->s.nbegin = c->s.nend = c->s.nnorm = c->s.ndirect = 0;
        return rc;
    }
    if (!last)
        c->around.cased_before =
            tsl_bertnorm_context(&m->norm, rest, done, done, c->around).cased_before;
    *used = skipped + done;
    return 0;
}

static int coder_encode_rows(void *coder, const uint8_t *bytes,
                             const struct tsl_row *rows, size_t nrows,
                             struct tsl_tokens *out, size_t *ends, struct tsl_err *err)
{
    struct coder *c = coder;
    int rc = 0;
    c->skipping = false;
    c->ends = ends;
    for (size_t i = 0; rc == 0 && i < nrows; i++) {
        struct tsl_slice text = { bytes + rows[i].at, rows[i].len };
        size_t used;
        c->around = (struct tsl_bertcontext){ false, false };
        rc = encode_to(c, text, text.len, &used, out, err);
        if (rc == 0)
            rc = make_room(c, 1, out, err);
        c->s.run = NO_RUN;
        c->s.begin[c->s.nbegin++] = ROW_END;
        c->s.end[c->s.nend++] = 0;
    }
    if (rc == 0)
        rc = flush(c, out, err);
    if (rc < 0)
        c->s.nbegin = c->s.nend = c->s.nnorm = c->s.ndirect = 0;
    return rc;
}

static void coder_counts(const void *coder, uint64_t *invalid, uint64_t *unknown)
{
    const struct coder *c = coder;
    *invalid += c->s.invalid + c->chars.invalid;
    *unknown += c->s.unknown;
}

static void model_destroy(void *model)
{
    tsl_bertenc_model_destroy(model);
}

const struct tsl_engine tsl_bertenc_engine = {
    .name = "bert",
    .coder_create = coder_create,
    .coder_destroy = coder_destroy,
    .encode = coder_encode,
    .encode_rows = coder_encode_rows,
    .counts = coder_counts,
    .model_destroy = model_destroy,
};

/* ---- a smaller vocabulary ------------------------------------------------------------ */

static bool is_redundant(const struct tsl_bertnorm *n, struct tsl_slice s)
{
    if (count_chars(s.data, s.len) <= 1)
        return false;
    const uint8_t *p = s.data, *end = p + s.len;
    if (s.len >= 2 && p[0] == '#' && p[1] == '#')
        p += 2;
    while (p < end) {
        uint32_t cp;
        p += tsl_utf8_decode(p, end, &cp);
        if (cp != TSL_UTF8_BAD && tsl_bertnorm_is_sign(n, cp))
            return true;
    }
    return false;
}

int tsl_bertenc_simplify(const struct tsl_vocab *v, const struct tsl_slice *first,
                         size_t nfirst, struct tsl_vocab **small, uint32_t **kept,
                         struct tsl_err *err)
{
    const struct tsl_bertnorm norm = { .rules = TSL_RULES_BERT4KERAS };
    uint32_t n = 0;
    int rc = TSL_ENOMEM;
    uint32_t *ids = tsl_mem_alloc(tsl_vocab_size(v), sizeof *ids, "a vocabulary", err);
    struct tsl_vocab *s = tsl_vocab_create(err);
    if (!s || !ids)
        goto out;
    rc = 0;
    for (size_t i = 0; rc == 0 && i < nfirst; i++) {
        int64_t id = tsl_vocab_find(v, first[i]);
        if (id < 0 || tsl_vocab_find(s, first[i]) >= 0) {
            rc = tsl_err_set(err, TSL_EUSAGE, "a token to be kept is %s",
                             id < 0 ? "not in the vocabulary" : "named twice");
            break;
        }
        ids[n] = (uint32_t)id;
        rc = tsl_vocab_add(s, n++, first[i], err);
    }
    for (uint32_t id = 0; rc == 0 && id < tsl_vocab_size(v); id++) {
        struct tsl_slice token = tsl_vocab_token(v, id);
        /* of tokens with the same bytes the peer knows the last one only */
        if (!token.data || tsl_vocab_find(v, token) != (int64_t)id ||
            tsl_vocab_find(s, token) >= 0 || is_redundant(&norm, token))
            continue;
        ids[n] = id;
        rc = tsl_vocab_add(s, n++, token, err);
    }
    if (rc < 0)
        goto out;
    *small = s;
    *kept = ids;
    s = NULL; /* handed over */
    ids = NULL;
out:
    tsl_vocab_destroy(s);
    tsl_mem_free(ids);
    return rc;
}
