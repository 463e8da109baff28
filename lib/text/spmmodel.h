/* spmmodel.h - what spm.c, spmbpe.c and spmunigram.c share: a model made ready, a coder's
 * scratch, and the two algorithms.  For them only.
 * Order: tokens as in the text.
 * Memory: owned by the model or the coder.
 * Threads: a model is read-only once made; a coder has one owner. */
#ifndef TSL_SPMMODEL_H
#define TSL_SPMMODEL_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/utf8.h"
#include "text/longbpe.h"
#include "text/spm.h"
#include "text/spmnorm.h"
#include "text/trie.h"
#include "text/wordcache.h"

enum {
    SPM_NONE = 0xffffff, /* no symbol, no piece */
    SPM_LEFT = 1 << 24,  /* in some piece another character follows this one */
    SPM_RIGHT = 1 << 25, /* in some piece another character goes before this one */
    SPM_FROZEN = 1 << 24 /* bit of a BPE symbol: user-defined, joins with nothing */
};

/* Two symbols that may be joined: SentencePiece merges what, put together, is a piece. */
struct tsl_spm_merge {
    uint64_t pair; /* left << 32 | right; UINT64_MAX: empty */
    uint32_t to, rank;
};

struct tsl_spm {
    struct tsl_tokfile_spm *file;
    struct tsl_spmnorm norm, denorm;
    bool has_denorm;
    uint32_t npieces, unk;
    bool suffix, byte_fallback, escape, has_user;
    bool whole;      /* nothing may be cut: see spmbpe.c */
    bool has_unused; /* bpe: pieces that are taken apart again */
    bool may_stream; /* bpe: see tsl_spm_bpe_huge */
    uint32_t byte_ids[256];
    struct tsl_trie trie; /* pieces that text can give, spaces as in spmnorm.h */
    struct tsl_trie user; /* the user-defined among them */
    size_t longest;       /* bytes of the longest of them */
    uint32_t *as_text;    /* by id: what Decode takes it for */

    /* characters: a block of 256 code points each */
    uint16_t block_of[0x1100];
    uint32_t *cells;  /* symbol of 24 bits, SPM_LEFT, SPM_RIGHT */
    uint64_t *states; /* unigram: the trie's after this character */
    size_t nblocks;
    /* neighbours within pieces */
    uint64_t ascii_pairs[128][2];
    uint64_t *pairs; /* a filter of those that are not both ASCII: a bit a pair, some in
                      * vain */
    unsigned pairs_shift;

    /* bpe: symbols are pieces, and from npieces on characters that are none */
    struct tsl_spm_merge *merges;
    uint64_t merges_mask;
    uint32_t *final; /* by symbol: the id that it becomes */

    /* unigram */
    double *scores;      /* by id + 1; what is added to the sum for a piece */
    float *float_scores; /* the same; NaN where it is no float */
    float unk_score;
};

/* A piece found: id, and bytes of normal form. */
struct tsl_spm_hit {
    uint32_t id, len;
};

struct tsl_spm_node {
    float best;
    uint32_t from, id; /* from UINT32_MAX: not reached */
};

struct tsl_spm_probe {
    double best, second;
    uint32_t from, id;
};

struct tsl_spm_symbol {
    uint32_t sym, at, prev, next;
};

enum { SPM_SHORT = TSL_WORDKEY_MAX, SPM_HUGE = 8 << 10 };

struct tsl_spm_coder {
    const struct tsl_spm *m;
    struct tsl_wordcache cache;
    struct tsl_spmnorm_run run;
    /* of the row so far */
    float total;
    bool prev_unk, word_next;

    struct tsl_spm_hit *hits;
    size_t nhits, hits_cap;
    struct tsl_spm_node *nodes;
    size_t nodes_cap;
    struct tsl_spm_symbol *symbols;
    size_t symbols_cap;
    uint64_t *heap;
    size_t nheap, heap_cap;
    uint64_t *unjoin; /* by piece: the pair that made it last, for UNUSED ones */
    uint32_t *stack;
    size_t stack_cap;

    /* bpe: a part that is too long to be joined as a whole; made when the first one comes */
    struct tsl_longbpe *huge;
    bool in_huge; /* the text goes on inside of one: huge has what came before */
};

/* The sum moved on by the piece's score, rounded as SentencePiece rounds. */
TSL_INLINE float tsl_spm_add_score(const struct tsl_spm *m, float total, uint32_t id)
{
    float score = m->float_scores[id + 1];
    if (TSL_UNLIKELY(score != score))
        return (float)(m->scores[id + 1] + (double)total);
    return total + score;
}

TSL_INLINE uint32_t tsl_spm_cell(const struct tsl_spm *m, uint32_t cp)
{
    return m->cells[(size_t)m->block_of[cp >> 8] << 8 | (cp & 255)];
}

/* The code point at p of well-formed text (or of the 0xFF behind it, which gives
 * nonsense), and its bytes. */
TSL_INLINE size_t tsl_spm_char(const uint8_t *p, uint32_t *cp)
{
    uint32_t a = p[0];
    if (a < 0x80) {
        *cp = a;
        return 1;
    }
    if (a < 0xe0) {
        *cp = (a & 0x1f) << 6 | (p[1] & 0x3f);
        return 2;
    }
    if (a < 0xf0) {
        *cp = (a & 0xf) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
        return 3;
    }
    *cp = ((a & 7) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 |
           (p[3] & 0x3f)) %
          0x110000;
    return 4;
}

TSL_INLINE uint64_t tsl_spm_pair_bit(const struct tsl_spm *m, uint32_t a, uint32_t b)
{
    return ((uint64_t)a << 21 | b) * UINT64_C(0x9e3779b97f4a7c15) >> m->pairs_shift;
}

/* May a and b, not both ASCII, stand side by side in some piece? */
TSL_INLINE bool tsl_spm_joined(const struct tsl_spm *m, uint32_t a, uint32_t b)
{
    uint64_t bit = tsl_spm_pair_bit(m, a, b);
    return m->pairs[bit >> 6] >> (bit & 63) & 1;
}

static inline int tsl_spm_add_hit(struct tsl_spm_coder *c, uint32_t id, size_t len,
                                  struct tsl_err *err)
{
    if (TSL_UNLIKELY(c->nhits == c->hits_cap)) {
        int rc = tsl_mem_grow(&c->hits, &c->hits_cap, c->nhits + 1, sizeof *c->hits,
                              "pieces", err);
        if (rc < 0)
            return rc;
    }
    c->hits[c->nhits++] = (struct tsl_spm_hit){ id, (uint32_t)len };
    return 0;
}

/* spmbpe.c: fills m's merges; c->hits for s[0, n). */
int tsl_spm_bpe_init(struct tsl_spm *m, const struct tsl_slice *texts,
                     const uint32_t *ids, size_t n, struct tsl_err *err);
int tsl_spm_bpe_encode(struct tsl_spm_coder *c, const uint8_t *s, size_t n,
                       struct tsl_err *err);

/* The same for a part of any length, which begins here or goes on from the last call; open:
 * the text goes on in a way not known yet: hits only as far as they are certain, which may
 * be none at all.  Only where m->may_stream. */
int tsl_spm_bpe_huge(struct tsl_spm_coder *c, const uint8_t *s, size_t n, bool begins,
                     bool open, struct tsl_err *err);

/* spmunigram.c */
int tsl_spm_unigram_init(struct tsl_spm *m, struct tsl_err *err);

/* c->hits for s[0, n), and c->total moved on; s is followed by a byte of no piece or by
 * text that no piece from s reaches into.  open: the text goes on in a way not known yet:
 * hits only as far as they are certain, which may be none at all. */
int tsl_spm_unigram_encode(struct tsl_spm_coder *c, const uint8_t *s, size_t n, bool open,
                           struct tsl_err *err);

/* c->hits for n <= SPM_SHORT bytes of s.  Returns the bound under which they are what
 * tsl_spm_unigram_encode finds: they are if the biased exponent of c->total is less.  Does
 * not move c->total on. */
int tsl_spm_unigram_probe(struct tsl_spm_coder *c, const uint8_t *s, size_t n,
                          struct tsl_err *err);

#endif
