#include "text/spm.h"

#include <inttypes.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/quote.h"
#include "text/spmmodel.h"

/* A row goes through in blocks: what is normalised shall still be in the CPU's cache when
 * it is encoded. */
enum {
    BLOCK_BYTES = 32 << 10,
    LONG_WORD = 48,
    BATCH = 64, /* parts whose slots are asked for before the first one is needed */
    BOUND_MASK = 0xff, /* of a slot's flags: see tsl_spm_unigram_probe */
    HAS_UNKNOWN = 0x100,
    ID_BITS = 24 /* in the cache: an id, and above it the bytes of its piece */
};

static const uint8_t SPACE[3] = { 0xe2, 0x96, 0x81 };
static const uint8_t REPLACEMENT[3] = { 0xef, 0xbf, 0xbd };

/* ---- making a model ready ------------------------------------------------------------- */

/* Text of the file's as it is in here: U+2581 a space.  False if no normalised text can hold
 * it: it has a space of its own. */
static bool inside(const struct tsl_spm *m, struct tsl_slice text, uint8_t *out,
                   size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < text.len;) {
        if (m->escape && text.data[i] == ' ')
            return false;
        if (m->escape && text.len - i >= 3 && memcmp(text.data + i, SPACE, 3) == 0) {
            out[(*n)++] = ' ';
            i += 3;
        } else {
            out[(*n)++] = text.data[i++];
        }
    }
    return true;
}

/* The cell of cp, made if need be; NULL and err when there is no memory. */
static uint32_t *cell_at(struct tsl_spm *m, uint32_t cp, struct tsl_err *err)
{
    uint16_t *b = &m->block_of[cp >> 8];
    if (*b == 0) {
        size_t n = m->nblocks + 1;
        uint32_t *cells = tsl_mem_resize(m->cells, n << 8, sizeof *cells, "cells", err);
        if (!cells)
            return NULL;
        m->cells = cells;
        uint64_t *states =
            tsl_mem_resize(m->states, n << 8, sizeof *states, "cells", err);
        if (!states)
            return NULL;
        m->states = states;
        for (size_t i = m->nblocks << 8; i < n << 8; i++) {
            cells[i] = SPM_NONE;
            states[i] = 0;
        }
        *b = (uint16_t)m->nblocks;
        m->nblocks = n;
    }
    return &m->cells[(size_t)*b << 8 | (cp & 255)];
}

/* Room for the pairs of characters of all pieces: 16 bits for each that is not ASCII. */
static int make_pairs(struct tsl_spm *m, const struct tsl_slice *texts, size_t n,
                      struct tsl_err *err)
{
    size_t npairs = 0;
    unsigned log2 = 13;
    for (size_t i = 0; i < n; i++) {
        uint32_t cp, before = 0;
        for (size_t at = 0; at < texts[i].len; before = cp) {
            at += tsl_spm_char(texts[i].data + at, &cp);
            npairs += before && (cp >= 0x80 || before >= 0x80);
        }
    }
    while (log2 < 32 && npairs * 16 > (size_t)1 << log2)
        log2++;
    m->pairs = tsl_mem_alloc((size_t)1 << (log2 - 6), sizeof *m->pairs,
                             "pairs of characters", err);
    m->pairs_shift = 64 - log2;
    return m->pairs ? 0 : TSL_ENOMEM;
}

/* Notes that a and b stand side by side. */
static void add_pair(struct tsl_spm *m, uint32_t a, uint32_t b)
{
    if (a < 0x80 && b < 0x80) {
        m->ascii_pairs[a][b >> 6] |= UINT64_C(1) << (b & 63);
    } else {
        uint64_t bit = tsl_spm_pair_bit(m, a, b);
        m->pairs[bit >> 6] |= UINT64_C(1) << (bit & 63);
    }
}

/* Enters the characters of one piece, and who their neighbours are. */
static int enter_text(struct tsl_spm *m, struct tsl_slice text, uint32_t id,
                      uint32_t *nsymbols, struct tsl_err *err)
{
    enum tsl_spm_algorithm how = m->file->options.algorithm;
    bool joins = how == TSL_SPM_UNIGRAM || how == TSL_SPM_BPE ||
                 m->file->pieces[id].type == TSL_SPM_USER_DEFINED;
    uint32_t cp, before = 0;
    if (how == TSL_SPM_WORD)
        return 0;
    for (size_t at = 0, len; at < text.len; at += len) {
        len = tsl_spm_char(text.data + at, &cp);
        uint32_t *cell = cell_at(m, cp, err);
        if (!cell)
            return TSL_ENOMEM;
        if (len == text.len)
            *cell = (*cell & ~(uint32_t)SPM_NONE) | id;
        else if ((*cell & SPM_NONE) == SPM_NONE && how == TSL_SPM_BPE)
            *cell = (*cell & ~(uint32_t)SPM_NONE) | (*nsymbols)++;
        if (joins && len < text.len) {
            *cell |= at + len < text.len ? SPM_LEFT : 0;
            *cell |= at ? SPM_RIGHT : 0;
            if (at)
                add_pair(m, before, cp);
        }
        before = cp;
    }
    return 0;
}

/* What gives text in a Decode of ids: SentencePiece looks pieces up by their names. */
static int find_names(struct tsl_spm *m, struct tsl_err *err)
{
    m->as_text = tsl_mem_alloc(m->npieces, sizeof *m->as_text, "names", err);
    if (!m->as_text)
        return TSL_ENOMEM;
    for (uint32_t i = 0; i < m->npieces; i++) {
        const struct tsl_spm_piece *p = &m->file->pieces[i];
        int64_t reserved = tsl_tokfile_spm_find(m->file, p->text, true);
        m->as_text[i] = reserved < 0 ? i : (uint32_t)reserved;
        if (p->type == TSL_SPM_BYTE)
            m->byte_ids[tsl_tokfile_spm_byte(p->text)] = i;
        if (p->type == TSL_SPM_UNKNOWN)
            m->unk = i;
    }
    return 0;
}

struct texts {
    uint8_t *bytes;
    struct tsl_slice *texts;
    uint32_t *ids;
    size_t n;
};

/* The pieces that text can give, as they are in here. */
static int collect(const struct tsl_spm *m, struct texts *t, struct tsl_err *err)
{
    enum tsl_spm_algorithm how = m->file->options.algorithm;
    size_t total = 0;
    for (uint32_t i = 0; i < m->npieces; i++)
        total += m->file->pieces[i].text.len;
    t->bytes = tsl_mem_alloc(total + TSL_SPMNORM_PAD, 1, "pieces", err);
    t->texts = tsl_mem_alloc(m->npieces, sizeof *t->texts, "pieces", err);
    t->ids = tsl_mem_alloc(m->npieces, sizeof *t->ids, "pieces", err);
    if (!t->bytes || !t->texts || !t->ids)
        return TSL_ENOMEM;
    uint8_t *to = t->bytes;
    for (uint32_t i = 0; i < m->npieces; i++) {
        const struct tsl_spm_piece *p = &m->file->pieces[i];
        size_t n;
        if (p->type == TSL_SPM_CONTROL || p->type == TSL_SPM_UNKNOWN ||
            (p->type == TSL_SPM_BYTE &&
             (how != TSL_SPM_WORD ||
              tsl_tokfile_spm_find(m->file, p->text, false) >= 0)) ||
            (p->type == TSL_SPM_UNUSED && how == TSL_SPM_UNIGRAM) ||
            !inside(m, p->text, to, &n))
            continue;
        t->texts[t->n] = (struct tsl_slice){ to, n };
        t->ids[t->n++] = i;
        to += n;
    }
    return 0;
}

static int build_user(struct tsl_spm *m, const struct texts *t, struct tsl_err *err)
{
    struct tsl_slice *user = tsl_mem_alloc(t->n, sizeof *user, "pieces", err);
    uint32_t *ids = tsl_mem_alloc(t->n, sizeof *ids, "pieces", err);
    size_t n = 0;
    int rc = user && ids ? 0 : TSL_ENOMEM;
    for (size_t i = 0; i < t->n && rc == 0; i++) {
        if (m->file->pieces[t->ids[i]].type == TSL_SPM_USER_DEFINED) {
            user[n] = t->texts[i];
            ids[n++] = t->ids[i];
        }
    }
    m->has_user = n > 0;
    if (rc == 0 && n)
        rc = tsl_trie_build(&m->user, user, ids, n, err);
    tsl_mem_free(user);
    tsl_mem_free(ids);
    return rc;
}

static int build_norm(struct tsl_spm *m, struct tsl_err *err)
{
    const struct tsl_spm_options *o = &m->file->options;
    struct tsl_slice *user = tsl_mem_alloc(m->npieces, sizeof *user, "pieces", err);
    size_t n = 0;
    if (!user)
        return TSL_ENOMEM;
    for (uint32_t i = 0; i < m->npieces; i++)
        if (m->file->pieces[i].type == TSL_SPM_USER_DEFINED)
            user[n++] = m->file->pieces[i].text;
    int rc = tsl_spmnorm_init(&m->norm, &o->normalizer, o->whitespace_suffix, user, n,
                              m->file->name, err);
    tsl_mem_free(user);
    m->has_denorm = o->denormalizer.charsmap.len > 0;
    if (rc == 0 && m->has_denorm)
        rc = tsl_spmnorm_init(&m->denorm, &o->denormalizer, false, NULL, 0, m->file->name,
                              err);
    return rc;
}

/* The ids that symbols become: SentencePiece looks the text of a symbol up again, and finds
 * a reserved piece first. */
static int build_final(struct tsl_spm *m, uint32_t nsymbols, struct tsl_err *err)
{
    m->final = tsl_mem_alloc(nsymbols, sizeof *m->final, "symbols", err);
    if (!m->final)
        return TSL_ENOMEM;
    for (uint32_t i = 0; i < nsymbols; i++) {
        uint32_t id = i < m->npieces ? m->as_text[i] : m->unk;
        m->final[i] = m->file->pieces[id].type == TSL_SPM_CONTROL ? m->unk : id;
    }
    return 0;
}

static int build(struct tsl_spm *m, struct tsl_err *err)
{
    enum tsl_spm_algorithm how = m->file->options.algorithm;
    struct texts t = { 0 };
    uint32_t nsymbols = m->npieces;
    int rc = collect(m, &t, err);
    if (rc == 0)
        rc = tsl_trie_build(&m->trie, t.texts, t.ids, t.n, err);
    if (rc == 0)
        rc = build_user(m, &t, err);
    if (rc == 0)
        rc = make_pairs(m, t.texts, t.n, err);
    for (size_t i = 0; i < t.n && rc == 0; i++) {
        m->longest = t.texts[i].len > m->longest ? t.texts[i].len : m->longest;
        rc = enter_text(m, t.texts[i], t.ids[i], &nsymbols, err);
    }
    if (rc == 0)
        rc = build_final(m, nsymbols, err);
    if (rc == 0 && how == TSL_SPM_BPE)
        rc = tsl_spm_bpe_init(m, t.texts, t.ids, t.n, err);
    if (rc == 0 && how == TSL_SPM_UNIGRAM)
        rc = tsl_spm_unigram_init(m, err);
    for (uint32_t cp = 0; cp < 0x110000 && rc == 0 && how == TSL_SPM_UNIGRAM; cp++) {
        uint8_t utf8[4];
        if (m->block_of[cp >> 8] == 0) {
            cp |= 255;
            continue;
        }
        size_t n = tsl_utf8_encode(utf8, cp);
        m->states[(size_t)m->block_of[cp >> 8] << 8 | (cp & 255)] = tsl_trie_walk(
            &m->trie, tsl_trie_root(&m->trie), (struct tsl_slice){ utf8, n });
    }
    tsl_mem_free(t.bytes);
    tsl_mem_free(t.texts);
    tsl_mem_free(t.ids);
    return rc;
}

int tsl_spm_create(struct tsl_spm **out, struct tsl_tokfile_spm *file,
                   struct tsl_err *err)
{
    struct tsl_spm *m = tsl_mem_alloc(1, sizeof *m, "a model", err);
    *out = NULL;
    if (!m) {
        tsl_tokfile_spm_destroy(file);
        return TSL_ENOMEM;
    }
    m->file = file;
    m->npieces = (uint32_t)file->npieces;
    m->suffix = file->options.whitespace_suffix;
    m->byte_fallback = file->options.byte_fallback;
    m->escape = file->options.normalizer.escape_whitespaces;
    m->cells = tsl_mem_alloc(256, sizeof *m->cells, "cells", err);
    m->states = tsl_mem_alloc(256, sizeof *m->states, "cells", err);
    int rc = m->cells && m->states ? 0 : TSL_ENOMEM;
    if (rc == 0) {
        for (size_t i = 0; i < 256; i++)
            m->cells[i] = SPM_NONE;
        m->nblocks = 1;
        rc = find_names(m, err);
    }
    if (rc == 0)
        rc = build_norm(m, err);
    if (rc == 0)
        rc = build(m, err);
    if (rc < 0)
        tsl_spm_destroy(m);
    else
        *out = m;
    return rc;
}

void tsl_spm_destroy(struct tsl_spm *m)
{
    if (!m)
        return;
    tsl_tokfile_spm_destroy(m->file);
    tsl_spmnorm_fini(&m->norm);
    tsl_spmnorm_fini(&m->denorm);
    tsl_trie_fini(&m->trie);
    tsl_trie_fini(&m->user);
    tsl_mem_free(m->as_text);
    tsl_mem_free(m->cells);
    tsl_mem_free(m->states);
    tsl_mem_free(m->pairs);
    tsl_mem_free(m->merges);
    tsl_mem_free(m->final);
    tsl_mem_free(m->scores);
    tsl_mem_free(m->float_scores);
    tsl_mem_free(m);
}

const struct tsl_tokfile_spm *tsl_spm_file(const struct tsl_spm *m)
{
    return m->file;
}

/* ---- a coder -------------------------------------------------------------------------- */

static void coder_destroy(void *coder)
{
    struct tsl_spm_coder *c = coder;
    if (!c)
        return;
    tsl_wordcache_fini(&c->cache);
    tsl_spmnorm_fini_run(&c->run);
    tsl_longbpe_destroy(c->huge);
    tsl_mem_free(c->hits);
    tsl_mem_free(c->nodes);
    tsl_mem_free(c->symbols);
    tsl_mem_free(c->heap);
    tsl_mem_free(c->unjoin);
    tsl_mem_free(c->stack);
    tsl_mem_free(c);
}

static void *coder_create(const void *model, size_t memory, struct tsl_err *err)
{
    struct tsl_spm_coder *c = tsl_mem_alloc(1, sizeof *c, "a coder", err);
    if (!c)
        return NULL;
    c->m = model;
    size_t scratch = 1 << 20;
    int rc = tsl_wordcache_init(&c->cache,
                                memory > 2 * scratch ? memory - scratch : scratch, err);
    if (rc == 0 && c->m->has_unused) {
        c->unjoin = tsl_mem_alloc(c->m->npieces, sizeof *c->unjoin, "a coder", err);
        rc = c->unjoin ? 0 : TSL_ENOMEM;
        if (rc == 0)
            memset(c->unjoin, 0xff, c->m->npieces * sizeof *c->unjoin);
    }
    if (rc < 0) {
        coder_destroy(c);
        return NULL;
    }
    return c;
}

uint64_t tsl_spm_coder_invalid(const void *coder)
{
    return ((const struct tsl_spm_coder *)coder)->run.invalid;
}

/* ---- where text may be cut ------------------------------------------------------------ */

/* How many of the 8 bytes at p are letters of ASCII, from the first on. */
TSL_INLINE unsigned letters_at(const uint8_t *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
    uint64_t x = tsl_load64(p), low = (x | ones * 0x20) & ~high;
    uint64_t letters =
        (low + ones * (0x80 - 'a')) & ~(low + ones * (0x80 - 'z' - 1)) & ~x;
    uint64_t others = ~letters & high;
    return others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
}

/* A character on the way: code point, cell, bytes. */
struct step {
    uint32_t cp, cell;
    size_t len;
};

TSL_INLINE struct step step_at(const struct tsl_spm *m, const uint8_t *p)
{
    struct step a;
    a.len = tsl_spm_char(p, &a.cp);
    a.cell = tsl_spm_cell(m, a.cp);
    return a;
}

/* The end of the part that begins at p < n with the character *a: a place behind p where no
 * piece lies across, the first but for those between letters of a word that is not too
 * long; n if there is none before.  *a is then the character there. */
TSL_INLINE size_t part_end(const struct tsl_spm *m, const uint8_t *s, size_t p, size_t n,
                           struct step *a)
{
    const size_t far = p + LONG_WORD;
    for (;;) {
        if (a->cp < 0x80) {
            uint8_t c = (uint8_t)a->cp, next;
            while ((next = s[p + 1]) < 0x80 &&
                   m->ascii_pairs[c][next >> 6] >> (next & 63) & 1) {
                p++;
                if (p < far) {
                    unsigned k = letters_at(s + p);
                    for (; k == 8 && p < far; k = letters_at(s + p))
                        p += 7;
                    p += k ? k - 1 : 0;
                }
                c = s[p];
            }
            p++;
            if (p >= n)
                return n;
            if (next < 0x80) {
                *a = (struct step){ next, 0, 1 }; /* whose cell is not asked for */
                return p;
            }
            a->cell = tsl_spm_cell(m, c);
            a->cp = c;
        } else {
            p += a->len;
            if (p >= n)
                return n;
        }
        struct step b = step_at(m, s + p);
        bool apart = !(a->cell & SPM_LEFT) || !(b.cell & SPM_RIGHT) ||
                     !tsl_spm_joined(m, a->cp, b.cp);
        *a = b;
        if (apart)
            return p;
    }
}

/* The next place behind p before what SentencePiece writes for a space. */
static size_t word_end(const struct tsl_spm *m, const uint8_t *s, size_t p, size_t n)
{
    if (m->escape) {
        const uint8_t *next = memchr(s + p + 1, ' ', n - p - 1);
        return next ? (size_t)(next - s) : n;
    }
    while (++p < n && memcmp(s + p, SPACE, sizeof SPACE) != 0)
        ;
    return p;
}

/* ---- giving tokens -------------------------------------------------------------------- */

/* The place in the text of places in the normal form, which come in order. */
struct where {
    struct tsl_spm_coder *c;
    struct tsl_tokens *out;
    const uint8_t *s;
    uint32_t base; /* the block's place in the text */
    size_t seg;
};

static uint32_t raw_of(struct where *w, size_t norm)
{
    return w->base + tsl_spmnorm_raw(&w->c->run, &w->seg, norm);
}

static int give_bytes(struct where *w, size_t at, size_t end, uint32_t from, uint32_t to,
                      unsigned mark, struct tsl_err *err)
{
    const struct tsl_spm *m = w->c->m;
    int rc = 0;
    for (size_t i = at; i < end && rc == 0; i++) {
        const uint8_t *p = w->s + i;
        size_t n = 1;
        if (m->escape && *p == ' ')
            p = SPACE, n = sizeof SPACE;
        for (size_t k = 0; k < n && rc == 0; k++) {
            bool final = i + 1 == end && k + 1 == n;
            rc = tsl_tokens_add(w->out, m->byte_ids[p[k]], from, final ? to : from, mark,
                                err);
            mark = 0;
        }
    }
    return rc;
}

/* The last token's text is that of the normal form. */
static int say(struct where *w, size_t at, size_t end, bool more, struct tsl_err *err)
{
    int rc = 0;
    while (at < end && rc == 0 && (w->out->want & TSL_WANT_TEXTS)) {
        const uint8_t *s = w->s + at, *blank = memchr(s, ' ', end - at);
        size_t n = blank && w->c->m->escape ? (size_t)(blank - s) : end - at;
        rc = tsl_tokens_say(w->out, (struct tsl_slice){ s, n }, more, err);
        at += n;
        more = true;
        if (rc == 0 && at < end) {
            rc = tsl_tokens_say(w->out, (struct tsl_slice){ SPACE, sizeof SPACE }, more,
                                err);
            at++;
        }
    }
    return rc;
}

/* Gives hits, whose pieces begin at at. */
static int give(struct where *w, const struct tsl_spm_hit *hits, size_t n, size_t at,
                struct tsl_err *err)
{
    struct tsl_spm_coder *c = w->c;
    const struct tsl_spm *m = c->m;
    struct tsl_tokens *out = w->out;
    bool spans = out->want & TSL_WANT_SPANS;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        size_t end = at + hits[i].len;
        uint32_t id = hits[i].id;
        bool start = c->word_next || (!m->suffix && w->s[at] == ' ');
        unsigned mark = start ? TSL_TOKEN_WORD_START : 0;
        c->word_next = w->s[end - 1] == ' ';
        uint32_t from = spans ? raw_of(w, at) : 0, to = 0;
        if (spans)
            to = raw_of(w, end);
        if (id != m->unk) {
            c->prev_unk = false;
            rc = tsl_tokens_add(out, id, from, to, mark, err);
        } else if (m->byte_fallback) {
            rc = give_bytes(w, at, end, from, to, mark, err);
        } else if (c->prev_unk) {
            if (spans)
                out->end[out->n - 1] = to;
            rc = say(w, at, end, true, err);
        } else {
            c->prev_unk = true;
            rc = tsl_tokens_add(out, id, from, to, mark | TSL_TOKEN_UNKNOWN, err);
            if (rc == 0)
                rc = say(w, at, end, false, err);
        }
        at = end;
    }
    return rc;
}

/* ---- encoding ------------------------------------------------------------------------- */

/* c->hits of one part. */
static int encode_part(struct tsl_spm_coder *c, const uint8_t *s, size_t n,
                       struct tsl_err *err)
{
    const struct tsl_spm *m = c->m;
    enum tsl_spm_algorithm how = m->file->options.algorithm;
    int rc = 0;
    c->nhits = 0;
    if (how == TSL_SPM_UNIGRAM)
        return tsl_spm_unigram_encode(c, s, n, false, err);
    if (how == TSL_SPM_BPE && n >= SPM_HUGE && m->may_stream)
        return tsl_spm_bpe_huge(c, s, n, true, false, err);
    if (how == TSL_SPM_BPE)
        return tsl_spm_bpe_encode(c, s, n, err);
    if (how == TSL_SPM_WORD) {
        int64_t id = tsl_trie_find(&m->trie, (struct tsl_slice){ s, n });
        return tsl_spm_add_hit(c, id < 0 ? m->unk : m->final[id], n, err);
    }
    for (size_t at = 0; at < n && rc == 0;) {
        uint32_t cp, sym;
        size_t len = tsl_spm_char(s + at, &cp);
        sym = tsl_spm_cell(m, cp) & SPM_NONE;
        if (m->has_user) {
            uint64_t state = tsl_trie_root(&m->user);
            for (size_t i = at; i < n && tsl_trie_step(&m->user, &state, s[i]); i++) {
                int64_t id = tsl_trie_value(&m->user, state);
                if (id >= 0) {
                    sym = (uint32_t)id;
                    len = i + 1 - at;
                }
            }
        }
        rc = tsl_spm_add_hit(c, sym == SPM_NONE ? m->unk : m->final[sym], len, err);
        at += len;
    }
    return rc;
}

TSL_INLINE int exponent_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (int)(bits >> 23 & 0xff);
}

/* Moves the sum on over pieces that are known. */
TSL_INLINE void add_scores(struct tsl_spm_coder *c, const struct tsl_spm_hit *hits,
                           size_t n)
{
    for (size_t i = 0; i < n; i++)
        c->total = tsl_spm_add_score(c->m, c->total, hits[i].id);
}

/* c->hits of a part that is not in the cache, and puts it there. */
static int encode_new(struct tsl_spm_coder *c, const uint8_t *s, size_t n,
                      struct tsl_wordkey key, uint64_t hash, struct tsl_err *err)
{
    const struct tsl_spm *m = c->m;
    bool unigram = m->file->options.algorithm == TSL_SPM_UNIGRAM;
    uint32_t packed[SPM_SHORT];
    c->nhits = 0;
    int bound = unigram ? tsl_spm_unigram_probe(c, s, n, err) : 0;
    int rc = unigram ? bound : encode_part(c, s, n, err);
    if (rc < 0)
        return rc;
    unsigned flags = (unsigned)bound;
    for (size_t i = 0; i < c->nhits; i++) {
        packed[i] = c->hits[i].id | c->hits[i].len << ID_BITS;
        flags |= c->hits[i].id == m->unk ? HAS_UNKNOWN : 0;
    }
    tsl_wordcache_put(&c->cache, key, hash, packed, c->nhits, flags);
    if (!unigram)
        return 0;
    if (exponent_of(c->total) >= bound)
        return encode_part(c, s, n, err);
    add_scores(c, c->hits, c->nhits);
    return 0;
}

/* What can be gone back to, if the text that follows is wanted first. */
struct mark {
    size_t norm, ntokens;
    float total;
    bool prev_space, word_next, prev_unk, in_huge;
};

static struct mark mark_at(const struct tsl_spm_coder *c, size_t norm, size_t ntokens,
                           bool prev_space)
{
    return (struct mark){ norm,         ntokens,     c->total,  prev_space,
                          c->word_next, c->prev_unk, c->in_huge };
}

/* Whether the last token is done.  Unknown text that goes on is the same token, whose end
 * is told if it is wanted. */
static bool is_done(const struct tsl_spm_coder *c, const struct tsl_tokens *out)
{
    return !c->prev_unk || c->m->byte_fallback || !(out->want & TSL_WANT_SPANS);
}

/* A part of the text: where it is, and its key, or for one character (SINGLE) its symbol. */
struct part {
    struct tsl_wordkey key;
    uint64_t hash;
    uint32_t at, len;
};

#define SINGLE (UINT32_C(1) << 31)

/* Up to BATCH parts from at on, as long as their ends are certain. */
TSL_INLINE size_t find_parts(const struct tsl_spm_coder *c, const uint8_t *s, size_t at,
                             size_t n, bool last, bool word, struct part *parts)
{
    const struct tsl_spm *m = c->m;
    struct step a = { 0 };
    size_t k = 0;
    if (at < n && !word)
        a = step_at(m, s + at);
    for (; k < BATCH && at < n; k++) {
        struct part *p = &parts[k];
        const struct step first = a;
        size_t end = m->whole ? n
                     : word   ? word_end(m, s, at, n)
                              : part_end(m, s, at, n, &a);
        size_t len = end - at;
        if (end >= n && !last)
            break;
        p->at = (uint32_t)at;
        p->len = (uint32_t)len;
        if (first.cp >= 0x80 && first.len == len) {
            p->len |= SINGLE;
            p->hash = first.cell & SPM_NONE;
        } else if (TSL_LIKELY(len <= SPM_SHORT)) {
            p->key = tsl_wordkey_make(s + at, len);
            p->hash = tsl_wordkey_hash(p->key);
            tsl_wordcache_prefetch(&c->cache, p->hash);
        }
        at = end;
    }
    return k;
}

/* A part of one character, which can only be its piece or unknown. */
TSL_INLINE int encode_single(struct where *w, uint32_t at, uint32_t len, uint32_t sym,
                             const bool unigram, const bool plain, struct tsl_err *err)
{
    struct tsl_spm_coder *c = w->c;
    const struct tsl_spm *m = c->m;
    struct tsl_tokens *out = w->out;
    uint32_t id = sym == SPM_NONE ? m->unk : m->final[sym];
    if (unigram)
        c->total = tsl_spm_add_score(m, c->total, id);
    if (TSL_LIKELY(plain && out->cap - out->n >= SPM_SHORT)) {
        uint32_t *to = out->ids + out->n;
        c->word_next = false;
        if (TSL_LIKELY(id != m->unk)) {
            *to = id;
            out->n++;
            c->prev_unk = false;
        } else if (m->byte_fallback) {
            for (uint32_t i = 0; i < len; i++)
                to[i] = m->byte_ids[w->s[at + i]];
            out->n += len;
        } else {
            *to = id;
            out->n += !c->prev_unk;
            c->prev_unk = true;
        }
        return 0;
    }
    struct tsl_spm_hit hit = { id, len };
    int rc = give(w, &hit, 1, at, err);
    return rc == 0 ? tsl_tokens_reserve(out, SPM_SHORT, err) : rc;
}

/* A part that is short enough for the cache. */
TSL_INLINE int encode_short(struct where *w, const struct part *p, const bool unigram,
                            const bool plain, struct tsl_err *err)
{
    struct tsl_spm_coder *c = w->c;
    const struct tsl_spm *m = c->m;
    struct tsl_tokens *out = w->out;
    const uint8_t *s = w->s;
    const struct tsl_wordslot *slot = tsl_wordcache_find(&c->cache, p->key, p->hash);
    if (TSL_UNLIKELY(!slot ||
                     (unigram && exponent_of(c->total) >= (slot->flags & BOUND_MASK)))) {
        int rc = slot ? encode_part(c, s + p->at, p->len, err)
                      : encode_new(c, s + p->at, p->len, p->key, p->hash, err);
        return rc == 0 ? give(w, c->hits, c->nhits, p->at, err) : rc;
    }
    const uint32_t *ids = tsl_wordcache_ids(&c->cache, slot);
    size_t k = slot->n;
    if (TSL_LIKELY(plain && !(slot->flags & HAS_UNKNOWN) &&
                   out->cap - out->n >= SPM_SHORT)) {
        uint32_t *to = out->ids + out->n;
        float total = c->total;
        for (size_t i = 0; i < k; i++) {
            uint32_t id = ids[i] & SPM_NONE;
            to[i] = id;
            if (unigram)
                total = tsl_spm_add_score(m, total, id);
        }
        out->n += k;
        c->total = total;
        c->prev_unk = false;
        c->word_next = s[p->at + p->len - 1] == ' ';
        return 0;
    }
    struct tsl_spm_hit hits[SPM_SHORT];
    for (size_t i = 0; i < k; i++)
        hits[i] = (struct tsl_spm_hit){ ids[i] & SPM_NONE, ids[i] >> ID_BITS };
    if (unigram)
        add_scores(c, hits, k);
    int rc = give(w, hits, k, p->at, err);
    return rc == 0 ? tsl_tokens_reserve(out, SPM_SHORT, err) : rc;
}

/* Encodes parts from *p on, as long as their ends are certain. */
TSL_INLINE int encode_parts(struct where *w, struct tsl_slice text, size_t n, bool last,
                            const bool unigram, size_t *p, struct mark *mark,
                            struct tsl_err *err)
{
    struct tsl_spm_coder *c = w->c;
    const struct tsl_spm *m = c->m;
    struct tsl_tokens *out = w->out;
    const bool word = m->file->options.algorithm == TSL_SPM_WORD, plain = out->want == 0;
    struct part parts[BATCH];
    size_t k = BATCH;
    int rc = 0;
    while (k == BATCH && rc == 0) {
        k = find_parts(c, w->s, *p, n, last, word, parts);
        for (size_t i = 0; i < k && rc == 0; i++) {
            uint32_t at = parts[i].at, len = parts[i].len & ~SINGLE;
            if (TSL_UNLIKELY(c->in_huge)) {
                c->nhits = 0;
                rc = tsl_spm_bpe_huge(c, w->s + at, len, false, false, err);
                if (rc == 0)
                    rc = give(w, c->hits, c->nhits, at, err);
                c->in_huge = false;
            } else if (parts[i].len & SINGLE) {
                rc = encode_single(w, at, len, (uint32_t)parts[i].hash, unigram, plain,
                                   err);
            } else if (TSL_LIKELY(len <= SPM_SHORT)) {
                rc = encode_short(w, &parts[i], unigram, plain, err);
            } else {
                rc = encode_part(c, w->s + at, len, err);
                if (rc == 0)
                    rc = give(w, c->hits, c->nhits, at, err);
            }
            *p = at + len;
            if (last || rc < 0 || !is_done(c, out))
                continue;
            bool prev_space;
            raw_of(w, *p);
            if (tsl_spmnorm_resume(&m->norm, &c->run, text, w->seg, *p, &prev_space))
                *mark = mark_at(c, *p, out->n, prev_space);
        }
    }
    return rc;
}

/* Bytes of no character; a run that is read again must not count again. */
static uint64_t count_invalid(struct tsl_slice text)
{
    const uint8_t *end = text.data + text.len;
    uint64_t n = 0;
    for (const uint8_t *p = text.data; p < end;) {
        uint32_t cp;
        size_t len = tsl_utf8_decode(p, end, &cp);
        n += cp == TSL_UTF8_BAD;
        p += cp == TSL_UTF8_BAD ? 1 : len;
    }
    return n;
}

/* There is no cut between at and n, and the text goes on: as far as all ways are one. */
static int encode_open(struct where *w, struct tsl_slice text, size_t at, size_t n,
                       struct mark *mark, struct tsl_err *err)
{
    struct tsl_spm_coder *c = w->c;
    const struct tsl_spm *m = c->m;
    bool prev_space, unigram = m->file->options.algorithm == TSL_SPM_UNIGRAM;
    c->nhits = 0;
    int rc = unigram ? tsl_spm_unigram_encode(c, w->s + at, n - at, true, err)
                     : tsl_spm_bpe_huge(c, w->s + at, n - at, !c->in_huge, true, err);
    if (rc == 0)
        rc = give(w, c->hits, c->nhits, at, err);
    if (rc < 0 || c->nhits == 0)
        return rc;
    c->in_huge = !unigram;
    for (size_t i = 0; i < c->nhits; i++)
        at += c->hits[i].len;
    raw_of(w, at);
    if (is_done(c, w->out) &&
        tsl_spmnorm_resume(&m->norm, &c->run, text, w->seg, at, &prev_space))
        *mark = mark_at(c, at, w->out->n, prev_space);
    return 0;
}

/* One block.  *used: the bytes of it that are done. */
static int encode_block(struct tsl_spm_coder *c, struct tsl_slice text, uint32_t base,
                        bool last, size_t *used, struct tsl_tokens *out,
                        struct tsl_err *err)
{
    const struct tsl_spm *m = c->m;
    bool unigram = m->file->options.algorithm == TSL_SPM_UNIGRAM;
    bool started = c->run.started;
    struct mark before = mark_at(c, 0, out->n, c->run.prev_space);
    struct mark mark = before;
    uint64_t invalid = c->run.invalid;
    if (c->in_huge)
        tsl_longbpe_save(c->huge);
    int rc = tsl_spmnorm_text(&m->norm, &c->run, text, last, err);
    if (rc < 0)
        return rc;
    if (!c->run.started) {
        *used = last ? text.len : c->run.raw; /* spaces at the front */
        return 0;
    }
    struct where w = { c, out, c->run.bytes, base, 0 };
    size_t n = last ? c->run.len : c->run.certain, at = 0;
    rc = unigram ? encode_parts(&w, text, n, last, true, &at, &mark, err)
                 : encode_parts(&w, text, n, last, false, &at, &mark, err);
    if (rc < 0 || last) {
        *used = text.len;
        return rc;
    }
    if (mark.norm == 0 && (unigram || m->may_stream) && n - at > BLOCK_BYTES / 2) {
        rc = encode_open(&w, text, at, n, &mark, err);
        if (rc < 0)
            return rc;
    }
    size_t seg = 0;
    *used = mark.norm ? tsl_spmnorm_raw(&c->run, &seg, mark.norm) : 0;
    if (*used == 0) {
        mark = before;
        c->run.started = started;
        if (mark.in_huge)
            tsl_longbpe_restore(c->huge);
    }
    out->n = mark.ntokens;
    c->total = mark.total;
    c->word_next = mark.word_next;
    c->prev_unk = mark.prev_unk;
    c->in_huge = mark.in_huge;
    c->run.prev_space = mark.prev_space;
    if (c->run.invalid != invalid)
        c->run.invalid = invalid + count_invalid((struct tsl_slice){ text.data, *used });
    return 0;
}

static int encode(void *coder, struct tsl_slice text, bool first, bool last, size_t *used,
                  struct tsl_tokens *out, struct tsl_err *err)
{
    struct tsl_spm_coder *c = coder;
    size_t at = 0, block = BLOCK_BYTES;
    *used = 0;
    if (text.len > UINT32_MAX / 2)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%zu bytes of text at once; at most 2 GiB can be encoded",
                           text.len);
    if (first) {
        tsl_spmnorm_begin(&c->run);
        c->total = 0;
        c->prev_unk = c->in_huge = false;
        c->word_next = true;
    }
    for (;;) {
        size_t n = text.len - at < block ? text.len - at : block, done;
        bool end = at + n == text.len;
        struct tsl_slice part = { text.data + at, n };
        int rc = encode_block(c, part, (uint32_t)at, last && end, &done, out, err);
        if (rc < 0)
            return rc;
        at += done;
        if (end && (last || done == 0 || at == text.len))
            break;
        if (done)
            block = BLOCK_BYTES;
        else
            block *= 2;
    }
    *used = at;
    return 0;
}

static void model_destroy(void *model)
{
    tsl_spm_destroy(model);
}

const struct tsl_engine tsl_spm_engine = {
    .name = "spm",
    .coder_create = coder_create,
    .coder_destroy = coder_destroy,
    .encode = encode,
    .model_destroy = model_destroy,
};

/* ---- decoding ------------------------------------------------------------------------- */

struct text {
    uint8_t **bytes;
    size_t *len, *cap, start;
    struct tsl_err *err;
};

static int add_text(struct text *t, const uint8_t *p, size_t n)
{
    int rc = tsl_mem_grow(t->bytes, t->cap, *t->len + n, 1, "decoded text", t->err);
    if (rc < 0)
        return rc;
    if (n)
        memcpy(*t->bytes + *t->len, p, n);
    *t->len += n;
    return 0;
}

/* Bytes that byte pieces left at the end from *begin on become characters or U+FFFD. */
static int join_bytes(struct text *t, const uint8_t *p, size_t n)
{
    int rc = 0;
    for (const uint8_t *end = p + n; p < end && rc == 0;) {
        uint32_t cp;
        size_t len = tsl_utf8_decode(p, end, &cp);
        bool bad = cp == TSL_UTF8_BAD;
        rc = bad ? add_text(t, REPLACEMENT, sizeof REPLACEMENT) : add_text(t, p, len);
        p += bad ? 1 : len;
    }
    return rc;
}

static int add_piece(struct text *t, struct tsl_slice piece)
{
    int rc = 0;
    for (size_t i = 0, n; i < piece.len && rc == 0; i += n) {
        if (piece.len - i >= 3 && memcmp(piece.data + i, SPACE, 3) == 0) {
            n = sizeof SPACE;
            rc = add_text(t, (const uint8_t *)" ", 1);
        } else {
            for (n = 1; i + n < piece.len && piece.data[i + n] != SPACE[0];)
                n++;
            rc = add_text(t, piece.data + i, n);
        }
    }
    return rc;
}

static int denormalize(const struct tsl_spm *m, struct text *t)
{
    struct tsl_spmnorm_run run = { 0 };
    size_t n = *t->len - t->start;
    tsl_spmnorm_begin(&run);
    int rc = 0;
    if (n)
        rc =
            tsl_spmnorm_text(&m->denorm, &run,
                             (struct tsl_slice){ *t->bytes + t->start, n }, true, t->err);
    *t->len = rc < 0 ? *t->len : t->start;
    for (size_t i = 0; i < run.len && rc == 0; i++) {
        if (m->denorm.escape && run.bytes[i] == ' ')
            rc = add_text(t, SPACE, sizeof SPACE);
        else
            rc = add_text(t, run.bytes + i, 1);
    }
    tsl_spmnorm_fini_run(&run);
    return rc;
}

int tsl_spm_decode(const struct tsl_spm *m, const uint32_t *ids, size_t n, uint8_t **text,
                   size_t *len, size_t *cap, struct tsl_err *err)
{
    const struct tsl_spm_options *o = &m->file->options;
    struct text t = { text, len, cap, *len, err };
    uint8_t bytes[64];
    size_t nbytes = 0;
    bool at_front = true, took_space = false;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (ids[i] >= m->npieces)
            return tsl_err_set(err, TSL_EFORMAT,
                               "token %zu: id %" PRIu32
                               " is not in the vocabulary of %" PRIu32 " pieces",
                               i, ids[i], m->npieces);
        struct tsl_slice piece = m->file->pieces[ids[i]].text;
        enum tsl_spm_type type = m->file->pieces[m->as_text[ids[i]]].type;
        if (type == TSL_SPM_BYTE) {
            bytes[nbytes++] = (uint8_t)tsl_tokfile_spm_byte(piece);
            if (nbytes == sizeof bytes) { /* what is left may be half a character */
                size_t keep = 0;
                while (keep < 3 && bytes[nbytes - 1 - keep] >> 6 == 2)
                    keep++;
                keep = bytes[nbytes - 1 - keep] >= 0xc0 ? keep + 1 : 0;
                rc = join_bytes(&t, bytes, nbytes - keep);
                memmove(bytes, bytes + nbytes - keep, keep);
                nbytes = keep;
            }
            continue;
        }
        rc = join_bytes(&t, bytes, nbytes);
        nbytes = 0;
        if (took_space || *len > t.start)
            at_front = false;
        took_space = false;
        if (rc < 0 || type == TSL_SPM_CONTROL)
            continue;
        if (type == TSL_SPM_UNKNOWN) {
            rc = add_text(&t, o->unk_surface.data, o->unk_surface.len);
            continue;
        }
        if (at_front &&
            (o->normalizer.add_dummy_prefix || o->normalizer.remove_extra_whitespaces) &&
            piece.len >= 3 && memcmp(piece.data, SPACE, 3) == 0) {
            piece.data += 3;
            piece.len -= 3;
            took_space = !o->normalizer.remove_extra_whitespaces;
        }
        rc = add_piece(&t, piece);
    }
    if (rc == 0)
        rc = join_bytes(&t, bytes, nbytes);
    if (rc == 0 && m->has_denorm)
        rc = denormalize(m, &t);
    return rc;
}
