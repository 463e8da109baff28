#include "text/wordstore.h"

#include <assert.h>
#include <string.h>
#include <sys/uio.h>

#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/quote.h"
#include "io/spill.h"

enum {
    BLOCK = 64 << 10, /* a slot on disk, too */
    HEAD = 8,         /* of a block: XXH3 of the rest */
    VARINT_MAX = 10
};

/* In memory, or in a slot. */
struct block {
    uint8_t *mem;
    uint32_t slot;
    uint32_t used; /* bytes, HEAD included */
};

/* Slots come in extents of neighbours. */
struct lot {
    struct block *blocks;
    size_t nblocks, cap;
    uint32_t group;  /* of the temporary space */
    uint32_t extent; /* where the next slot is */
    uint32_t nslots; /* used so far */
    uint64_t words, symbols;
};

struct tsl_wordstore {
    struct tsl_wordstore_opts o;
    struct tsl_spill *spill;
    struct lot old, fresh;
    size_t held, held_peak; /* blocks in memory */
    uint8_t *spare;         /* one that may be used again */

    uint8_t *out; /* the block that is being filled */
    size_t out_len;

    bool last;
    size_t next;   /* block to be read */
    uint8_t *page; /* for blocks from disk */
    const uint8_t *p, *end;
    uint64_t words_left;
    uint32_t *ids;
    size_t ids_cap;
};

int tsl_wordstore_create(struct tsl_wordstore **out, const struct tsl_wordstore_opts *o,
                         struct tsl_err *err)
{
    struct tsl_wordstore *s = tsl_mem_alloc(1, sizeof *s, "words", err);
    if (!s)
        return TSL_ENOMEM;
    s->o = *o;
    if (o->ndirs && tsl_spill_create(&s->spill, o->dirs, o->ndirs, BLOCK,
                                     TSL_SPILL_EXTENT, err) < 0) {
        tsl_mem_free(s);
        return TSL_ENOMEM;
    }
    *out = s;
    return 0;
}

/* ---- blocks ---------------------------------------------------------------------------- */

static uint8_t *take_page(struct tsl_wordstore *s, struct tsl_err *err)
{
    uint8_t *p = s->spare;
    s->spare = NULL;
    return p ? p : tsl_pages_map(BLOCK, "words", err);
}

static void drop_page(struct tsl_wordstore *s, uint8_t *p)
{
    if (!s->spare)
        s->spare = p;
    else
        tsl_pages_unmap(p, BLOCK);
}

/* A block is not needed any more; blocks of a lot go in order. */
static void drop_block(struct tsl_wordstore *s, struct block *b)
{
    if (b->mem) {
        drop_page(s, b->mem);
        s->held--;
    } else if (b->used && b->slot % TSL_SPILL_EXTENT == TSL_SPILL_EXTENT - 1) {
        tsl_spill_release(s->spill, b->slot - (TSL_SPILL_EXTENT - 1));
    }
    b->mem = NULL;
    b->used = 0;
}

static void drop_lot(struct tsl_wordstore *s, struct lot *l)
{
    for (size_t i = 0; i < l->nblocks; i++)
        drop_block(s, &l->blocks[i]);
    if (l->nslots % TSL_SPILL_EXTENT)
        tsl_spill_release(s->spill, l->extent);
    tsl_mem_free(l->blocks);
    *l = (struct lot){ 0 };
}

void tsl_wordstore_destroy(struct tsl_wordstore *s)
{
    if (!s)
        return;
    drop_lot(s, &s->old);
    drop_lot(s, &s->fresh);
    tsl_pages_unmap(s->out, BLOCK);
    tsl_pages_unmap(s->page, BLOCK);
    tsl_pages_unmap(s->spare, BLOCK);
    tsl_mem_free(s->ids);
    tsl_spill_destroy(s->spill);
    tsl_mem_free(s);
}

/* The full block, or the last one, finds its place. */
static int put_block(struct tsl_wordstore *s, struct tsl_err *err)
{
    struct lot *l = &s->fresh;
    struct block b = { .used = (uint32_t)s->out_len };
    int rc = tsl_mem_grow(&l->blocks, &l->cap, l->nblocks + 1, sizeof *l->blocks, "words",
                          err);
    if (rc < 0)
        return rc;
    if (!s->spill || (s->held + 1) * (size_t)BLOCK <= s->o.memory) {
        b.mem = s->out;
        s->out = NULL;
        if (++s->held > s->held_peak)
            s->held_peak = s->held;
    } else {
        memset(s->out + s->out_len, 0, BLOCK - s->out_len);
        tsl_store64(s->out, tsl_hash64(s->out + HEAD, BLOCK - HEAD, l->nblocks));
        if (l->nslots % TSL_SPILL_EXTENT == 0)
            rc = tsl_spill_extent(s->spill, l->group, &l->extent, err);
        b.slot = l->extent + l->nslots % TSL_SPILL_EXTENT;
        if (rc == 0)
            l->nslots++;
        if (rc == 0)
            rc = tsl_spill_write(s->spill, b.slot, s->out, BLOCK, err);
    }
    if (rc < 0)
        return rc;
    l->blocks[l->nblocks++] = b;
    s->out_len = 0;
    return 0;
}

/* ---- writing --------------------------------------------------------------------------- */

static int put_byte(struct tsl_wordstore *s, uint8_t byte, struct tsl_err *err)
{
    int rc = 0;
    if (s->out && s->out_len == BLOCK)
        rc = put_block(s, err);
    if (rc == 0 && !s->out) {
        s->out = take_page(s, err);
        rc = s->out ? 0 : TSL_ENOMEM;
    }
    if (rc < 0)
        return rc;
    if (s->out_len == 0)
        s->out_len = HEAD;
    s->out[s->out_len++] = byte;
    return 0;
}

static uint8_t *store_number(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

static int put_number(struct tsl_wordstore *s, uint64_t v, struct tsl_err *err)
{
    if (s->out_len && s->out_len + VARINT_MAX <= BLOCK) {
        s->out_len = (size_t)(store_number(s->out + s->out_len, v) - s->out);
        return 0;
    }
    uint8_t b[VARINT_MAX];
    size_t n = (size_t)(store_number(b, v) - b);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = put_byte(s, b[i], err);
    return rc;
}

int tsl_wordstore_put(struct tsl_wordstore *s, const uint32_t *ids, size_t n,
                      uint64_t count, struct tsl_err *err)
{
    int rc = put_number(s, n, err);
    if (rc == 0)
        rc = put_number(s, count, err);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = put_number(s, ids[i], err);
    s->fresh.words++;
    s->fresh.symbols += n;
    return rc;
}

int tsl_wordstore_turn(struct tsl_wordstore *s, struct tsl_err *err)
{
    int rc = s->out_len ? put_block(s, err) : 0;
    if (rc < 0)
        return rc;
    drop_lot(s, &s->old);
    s->old = s->fresh;
    s->fresh = (struct lot){ .group = s->old.group ^ 1 };
    tsl_wordstore_rewind(s, false);
    return 0;
}

/* ---- reading --------------------------------------------------------------------------- */

void tsl_wordstore_rewind(struct tsl_wordstore *s, bool last)
{
    s->last = last;
    s->next = 0;
    s->p = s->end = NULL;
    s->words_left = s->old.words;
}

static int load_block(struct tsl_wordstore *s, struct tsl_err *err)
{
    if (s->last && s->next)
        drop_block(s, &s->old.blocks[s->next - 1]);
    assert(s->next < s->old.nblocks);
    const struct block *b = &s->old.blocks[s->next];
    const uint8_t *from = b->mem;
    if (!from) {
        if (!s->page)
            s->page = tsl_pages_map(BLOCK, "words", err);
        if (!s->page)
            return TSL_ENOMEM;
        struct iovec v = { s->page, BLOCK };
        int rc = tsl_spill_read(s->spill, b->slot, &v, 1, err);
        if (rc < 0)
            return rc;
        if (tsl_load64(s->page) != tsl_hash64(s->page + HEAD, BLOCK - HEAD, s->next)) {
            const char *dir = tsl_spill_folder(s->spill, b->slot);
            return tsl_err_set(err, TSL_EIO,
                               "%s: temporary block %u came back other than it was "
                               "written: the disk or the memory is faulty",
                               tsl_quote(dir).s, b->slot);
        }
        from = s->page;
    }
    s->p = from + HEAD;
    s->end = from + b->used;
    s->next++;
    return 0;
}

/* A number that may go on in the next block. */
static int get_split(struct tsl_wordstore *s, uint64_t *v, struct tsl_err *err)
{
    *v = 0;
    for (unsigned shift = 0;; shift += 7) {
        int rc = s->p == s->end ? load_block(s, err) : 0;
        if (rc < 0)
            return rc;
        uint8_t b = *s->p++;
        *v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            return 0;
    }
}

static inline int get_number(struct tsl_wordstore *s, uint64_t *v, struct tsl_err *err)
{
    const uint8_t *p = s->p;
    if (s->end - p < VARINT_MAX)
        return get_split(s, v, err);
    uint64_t x = *p & 0x7f;
    for (unsigned shift = 7; *p++ & 0x80; shift += 7)
        x |= (uint64_t)(*p & 0x7f) << shift;
    s->p = p;
    *v = x;
    return 0;
}

int tsl_wordstore_next(struct tsl_wordstore *s, uint32_t **ids, size_t *n,
                       uint64_t *count, struct tsl_err *err)
{
    uint64_t len = 0, id;
    if (s->words_left == 0)
        return 0;
    s->words_left--;
    int rc = get_number(s, &len, err);
    if (rc == 0)
        rc = get_number(s, count, err);
    if (rc == 0)
        rc = tsl_mem_grow(&s->ids, &s->ids_cap, (size_t)len, sizeof *s->ids, "a word",
                          err);
    for (size_t i = 0; i < len && rc == 0; i++) {
        rc = get_number(s, &id, err);
        s->ids[i] = (uint32_t)id;
    }
    *ids = s->ids;
    *n = (size_t)len;
    return rc < 0 ? rc : 1;
}

uint64_t tsl_wordstore_words(const struct tsl_wordstore *s)
{
    return s->old.words;
}

uint64_t tsl_wordstore_symbols(const struct tsl_wordstore *s)
{
    return s->old.symbols;
}

size_t tsl_wordstore_peak(const struct tsl_wordstore *s)
{
    return s->held_peak * (size_t)BLOCK;
}
