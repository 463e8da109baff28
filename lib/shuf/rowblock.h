/* rowblock.h - rows and their addresses, packed into a chunk of memory of fixed size.
 *
 * Layout:
 *   header | the rows' bytes, one after the other | free | code words, growing down
 *
 * A row's code is two Rice codes (Rice 1971): the distance of its address from the
 * row before, and the zigzag of its length less a typical one.  Separators and length
 * prefixes are not stored.  So a 10-byte row costs 16 bits of code for the 8 bits of its
 * newline: temporary space stays below 1.1 times the input down to such rows.
 *
 * Order: rows come out as they went in; addresses may go in in any order, ascending is
 *   cheap.
 * Memory: the caller's chunk.
 * Threads: one owner. */
#ifndef TSL_ROWBLOCK_H
#define TSL_ROWBLOCK_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "base/endian.h"

/* In memory and on disk, in the machine's byte order: it never leaves the machine. */
struct tsl_block_head {
    uint64_t check; /* XXH3 of what follows, seeded by where it was written */
    uint64_t addr;  /* of the first row */
    uint32_t nrows, row_bytes, code_words,
        code_end;                       /* code_end: offset behind the codes */
    uint32_t typical_len, packed_bytes; /* packed_bytes: 0 when not compressed */
    uint8_t addr_shift, len_shift;
    uint8_t zero[14];
};

/* How rows are coded; set per block from what the last rows were like. */
struct tsl_block_tune {
    uint32_t typical_len;
    uint8_t addr_shift, len_shift;
};

enum {
    TSL_BLOCK_HEAD = sizeof(struct tsl_block_head),
    /* bytes: two escaped codes and the word being filled (32), and behind them the 32
     * bytes that copying a short row may write too much (any fewer and its tail lands on
     * the codes) */
    TSL_BLOCK_CODE_MAX = 64,
    TSL_BLOCK_SLACK = 64, /* bytes behind a chunk that may be read or written */
    TSL_RICE_ESCAPE =
        24 /* quotients from here on are written out: 24 zeros, 1, 64 bits */
};

#define TSL_ROW_REF                                                                      \
    (UINT64_C(1) << 63) /* the row's bytes lie elsewhere; 8 bytes say where */

struct tsl_rowwriter {
    uint8_t *chunk; /* NULL: none yet */
    uint32_t head, tail, nrows;
    uint32_t nbits; /* filled in acc, less than 64 */
    uint64_t acc, last, first;
    struct tsl_block_tune tune;
};

static inline void tsl_rowwriter_begin(struct tsl_rowwriter *w, uint8_t *chunk,
                                       uint32_t bytes, uint64_t addr,
                                       struct tsl_block_tune tune)
{
    *w = (struct tsl_rowwriter){ .chunk = chunk,
                                 .head = TSL_BLOCK_HEAD,
                                 .tail = bytes,
                                 .first = addr,
                                 .last = addr,
                                 .tune = tune };
}

TSL_INLINE bool tsl_rowwriter_fits(const struct tsl_rowwriter *w, size_t len)
{
    return w->head + len + TSL_BLOCK_CODE_MAX <= w->tail;
}

/* The longest row that an empty chunk can hold. */
static inline size_t tsl_rowwriter_max(size_t chunk_bytes)
{
    return chunk_bytes - TSL_BLOCK_HEAD - TSL_BLOCK_CODE_MAX;
}

TSL_INLINE void tsl_rowwriter_bits(struct tsl_rowwriter *w, uint64_t v, unsigned n)
{
    w->acc |= v << w->nbits;
    w->nbits += n;
    if (w->nbits >= 64) {
        w->tail -= 8;
        memcpy(w->chunk + w->tail, &w->acc, 8);
        w->nbits -= 64;
        w->acc = w->nbits ? v >> (n - w->nbits) : 0;
    }
}

TSL_INLINE void tsl_rowwriter_rice(struct tsl_rowwriter *w, uint64_t v, unsigned shift)
{
    uint64_t q = v >> shift;
    if (TSL_LIKELY(q < TSL_RICE_ESCAPE)) {
        uint64_t low = v & ((UINT64_C(1) << shift) - 1);
        tsl_rowwriter_bits(w, (low << 1 | 1) << q, (unsigned)q + 1 + shift);
    } else {
        tsl_rowwriter_bits(w, UINT64_C(1) << TSL_RICE_ESCAPE, TSL_RICE_ESCAPE + 1);
        tsl_rowwriter_bits(w, v & 0xffffffff, 32);
        tsl_rowwriter_bits(w, v >> 32, 32);
    }
}

TSL_INLINE uint64_t tsl_zigzag(uint64_t d)
{
    return d << 1 ^ (uint64_t) - (d >> 63);
}

TSL_INLINE uint64_t tsl_unzigzag(uint64_t z)
{
    return z >> 1 ^ (uint64_t) - (z & 1);
}

/* Room for len bytes was asked for with tsl_rowwriter_fits.  slack: at least 32 bytes may
 * be read behind p[len). */
TSL_INLINE void tsl_rowwriter_put(struct tsl_rowwriter *w, uint64_t addr,
                                  const uint8_t *p, uint32_t len, bool slack)
{
    tsl_rowwriter_rice(w, addr - w->last, w->tune.addr_shift);
    tsl_rowwriter_rice(w, tsl_zigzag((uint64_t)len - w->tune.typical_len),
                       w->tune.len_shift);
    w->last = addr;
    /* short rows: two fixed moves; what they write too much lies in the free part */
    if (len <= 32 && slack)
        memcpy(w->chunk + w->head, p, 32);
    else
        memcpy(w->chunk + w->head, p, len);
    w->head += len;
    w->nrows++;
}

static inline void tsl_rowwriter_put_ref(struct tsl_rowwriter *w, uint64_t addr,
                                         uint64_t id)
{
    tsl_rowwriter_rice(w, addr - w->last, w->tune.addr_shift);
    tsl_rowwriter_rice(w, TSL_ROW_REF, w->tune.len_shift);
    w->last = addr;
    memcpy(w->chunk + w->head, &id, sizeof id);
    w->head += sizeof id;
    w->nrows++;
}

/* Completes the block; the chunk can now be read, or packed for writing.  Resets w. */
void tsl_rowwriter_end(struct tsl_rowwriter *w, uint32_t chunk_bytes);

/* Makes chunk a block of n plain bytes (a piece of a long row) that already stand behind
 * its header. */
void tsl_block_plain(uint8_t *chunk, uint32_t n);

/* Moves the codes down to the rows.  Returns the block's length in bytes. */
uint32_t tsl_block_compact(uint8_t *chunk);

struct tsl_rowreader {
    const uint8_t *chunk, *codes; /* codes: the word to be read first, going down */
    uint64_t bit;
    uint32_t at, end, left;
    uint64_t addr;
    struct tsl_block_tune tune;
};

struct tsl_rowref {
    uint64_t addr;
    uint32_t at, len; /* in the chunk */
    bool ref;
};

static inline void tsl_rowreader_begin(struct tsl_rowreader *r, const uint8_t *chunk)
{
    struct tsl_block_head h;
    memcpy(&h, chunk, sizeof h);
    *r = (struct tsl_rowreader){ .chunk = chunk,
                                 .codes = chunk + h.code_end - 8,
                                 .at = TSL_BLOCK_HEAD,
                                 .end = TSL_BLOCK_HEAD + h.row_bytes,
                                 .left = h.nrows,
                                 .addr = h.addr,
                                 .tune = { h.typical_len, h.addr_shift, h.len_shift } };
}

TSL_INLINE uint64_t tsl_rowreader_window(const struct tsl_rowreader *r)
{
    const uint8_t *p = r->codes - (r->bit >> 6) * 8;
    unsigned s = r->bit & 63;
    uint64_t a, b;
    memcpy(&a, p, 8);
    memcpy(&b, p - 8,
           8); /* behind the last word: row bytes or header, shifted out or unused */
    return s ? a >> s | b << (64 - s) : a;
}

TSL_INLINE uint64_t tsl_rowreader_rice(struct tsl_rowreader *r, unsigned shift)
{
    uint64_t w = tsl_rowreader_window(r);
    unsigned q = w ? (unsigned)__builtin_ctzll(w) : 64;
    if (TSL_LIKELY(q < TSL_RICE_ESCAPE)) {
        /* at most 24 + 39 bits: all of the code is in the window */
        r->bit += q + 1 + shift;
        w >>= q + 1;
        return (uint64_t)q << shift | (w & ((UINT64_C(1) << shift) - 1));
    }
    r->bit += TSL_RICE_ESCAPE + 1;
    w = tsl_rowreader_window(r);
    r->bit += 64;
    return w;
}

/* false at the end.  The block was checked when it was loaded: what does not fit now is a
 * fault of our own. */
TSL_INLINE bool tsl_rowreader_next(struct tsl_rowreader *r, struct tsl_rowref *row)
{
    if (r->left == 0)
        return false;
    r->left--;
    r->addr += tsl_rowreader_rice(r, r->tune.addr_shift);
    uint64_t z = tsl_rowreader_rice(r, r->tune.len_shift);
    row->ref = z == TSL_ROW_REF;
    row->addr = r->addr;
    row->at = r->at;
    row->len = row->ref ? 8 : (uint32_t)(tsl_unzigzag(z) + r->tune.typical_len);
    assert(row->len <= r->end - r->at);
    r->at += row->len;
    return true;
}

/* What suits rows of mean_len bytes whose lengths differ by mean_dev on average, when
 * each is gap address units behind the last. */
struct tsl_block_tune tsl_block_tune_for(double mean_len, double mean_dev, double gap);

#endif
