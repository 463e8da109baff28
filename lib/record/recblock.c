#include "record/recblock.h"

#include "base/bits.h"
#include "base/endian.h"
#include "base/hash.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "values are lent as they lie in the file");

static const uint32_t block_magic = 0x4b4c4252; /* "RBLK" */

void tsl_reclayout_init(struct tsl_reclayout *l, const struct tsl_schema *s)
{
    *l = (struct tsl_reclayout){ .ncolumns = s->ncolumns };
    for (size_t i = 0; i < s->ncolumns; i++) {
        const struct tsl_column *c = &s->columns[i];
        struct tsl_reclayout_column *to = &l->columns[i];
        size_t size = tsl_dtype_bytes(c->type);
        to->text = size == 0;
        to->bits = c->type == TSL_BIT ? 1 : (unsigned)(8 * size);
        to->size = size ? (unsigned)size : 1;
        to->count = c->count;
        to->listed = to->text || c->count == 0 ||
                     ((uint64_t)c->count * to->bits + 7) / 8 > TSL_RECBLOCK_PLAIN;
        l->record_bits += to->listed ? 32 : (uint64_t)c->count * to->bits;
        l->lists_bits += to->listed ? 32 : 0;
        l->slack_bytes += 7 * (1U + to->listed + to->text);
    }
}

bool tsl_recblock_is(const uint8_t *p)
{
    return tsl_load32(p) == block_magic;
}

uint64_t tsl_recblock_sum(const uint8_t *head, const uint8_t *payload, size_t stored,
                          uint64_t seed)
{
    return tsl_hash64(payload, (size_t)tsl_pad8(stored),
                      tsl_hash64(head, TSL_RECBLOCK_HEAD - 8, seed));
}

void tsl_recblock_put(uint8_t *p, struct tsl_recblock_head *h, const uint8_t *payload,
                      uint64_t seed)
{
    tsl_store32(p, block_magic);
    tsl_store32(p + 4, h->flags);
    tsl_store64(p + 8, h->number);
    tsl_store64(p + 16, h->first);
    tsl_store32(p + 24, h->nrecords);
    tsl_store32(p + 28, h->raw);
    tsl_store32(p + 32, h->stored);
    tsl_store32(p + 36, 0);
    tsl_store64(p + 40, h->cut);
    h->sum = tsl_recblock_sum(p, payload, h->stored, seed);
    tsl_store64(p + 48, h->sum);
}

const char *tsl_recblock_get(struct tsl_recblock_head *h, const uint8_t *p,
                             uint32_t raw_max)
{
    if (!tsl_recblock_is(p))
        return "neither a block nor the trailer begins here";
    *h = (struct tsl_recblock_head){ .flags = tsl_load32(p + 4),
                                     .number = tsl_load64(p + 8),
                                     .first = tsl_load64(p + 16),
                                     .nrecords = tsl_load32(p + 24),
                                     .raw = tsl_load32(p + 28),
                                     .stored = tsl_load32(p + 32),
                                     .cut = tsl_load64(p + 40),
                                     .sum = tsl_load64(p + 48) };
    if (h->flags > 7 || tsl_load32(p + 36) != 0)
        return "no block has such flags";
    if (h->raw == 0 || h->raw > raw_max || h->raw % 8 || h->stored == 0 ||
        (h->flags & TSL_RECBLOCK_ZSTD ? h->stored >= h->raw : h->stored != h->raw))
        return "no block is of that size";
    if (h->nrecords == 0 || h->nrecords / 8 > h->raw)
        return "no block has so many records";
    if (h->flags & TSL_RECBLOCK_GOES_ON ? h->nrecords != 1 : h->cut != 0)
        return "a record goes on behind a block, but not alone";
    return NULL;
}

/* The n bytes from *at on, and the padding behind them; NULL where there are fewer. */
static const uint8_t *take(const uint8_t *payload, uint64_t *at, uint64_t raw, uint64_t n)
{
    const uint8_t *p = payload + *at;
    if (n > raw - *at) /* raw is a multiple of 8, and so is *at: padding fits, too */
        return NULL;
    *at += tsl_pad8(n);
    return p;
}

const char *tsl_recblock_view(struct tsl_recblock *b, const struct tsl_reclayout *l,
                              const struct tsl_recblock_head *h, const uint8_t *payload)
{
    static const char *const outside = "a column ends outside of its block";
    uint64_t at = 0, raw = h->raw, n;
    b->head = *h;
    b->continued = h->flags & TSL_RECBLOCK_CONTINUED;
    b->goes_on = h->flags & TSL_RECBLOCK_GOES_ON;
    for (size_t i = 0; i < l->ncolumns; i++) {
        const struct tsl_reclayout_column *c = &l->columns[i];
        struct tsl_recblock_column *to = &b->columns[i];
        *to = (struct tsl_recblock_column){ .ends = NULL };
        if (c->listed) {
            to->ends = (const void *)take(payload, &at, raw, 4 * (uint64_t)h->nrecords);
            if (!to->ends)
                return outside;
            n = to->ends[h->nrecords - 1];
        } else {
            n = (uint64_t)c->count * (h->nrecords - b->continued);
        }
        if (n > 8 * raw)
            return outside;
        to->nvalues = (uint32_t)n;
        if (c->text) {
            to->sends = (const void *)take(payload, &at, raw, 4 * n);
            if (!to->sends)
                return outside;
            n = n ? to->sends[n - 1] : 0;
        } else {
            n = c->bits == 1 ? tsl_bits_bytes(n) : n * c->size;
        }
        to->nbytes = (uint32_t)n;
        to->values = take(payload, &at, raw, n);
        if (!to->values)
            return outside;
    }
    return at == raw ? NULL : "a block is larger than its columns";
}

static bool ascend(const uint32_t *ends, size_t n)
{
    unsigned bad = 0;
    for (size_t i = 1; i < n; i++)
        bad |= ends[i] < ends[i - 1];
    return !bad;
}

/* Are the bytes that pad [p, p + n) to a multiple of 8 zeros? */
static bool padded(const void *p, size_t n)
{
    const uint8_t *at = p;
    unsigned bad = 0;
    for (; n % 8; n++)
        bad |= at[n];
    return !bad;
}

/* Has each record that is wholly here count values? */
static bool counted(const struct tsl_recblock *b, const uint32_t *ends, uint32_t count)
{
    unsigned bad = 0;
    size_t n = b->head.nrecords;
    for (size_t i = b->continued; i + b->goes_on < n; i++)
        bad |= ends[i] - (i ? ends[i - 1] : 0) != count;
    return !bad;
}

const char *tsl_recblock_check(const struct tsl_recblock *b,
                               const struct tsl_reclayout *l)
{
    for (size_t i = 0; i < l->ncolumns; i++) {
        const struct tsl_reclayout_column *c = &l->columns[i];
        const struct tsl_recblock_column *v = &b->columns[i];
        size_t nrecords = b->head.nrecords;
        if (c->listed && (!ascend(v->ends, nrecords) || !padded(v->ends, 4 * nrecords)))
            return "records end before they begin";
        if (c->listed && c->count && !counted(b, v->ends, c->count))
            return "a record has other values in a column than its schema says";
        if (c->text &&
            (!ascend(v->sends, v->nvalues) || !padded(v->sends, 4 * (size_t)v->nvalues)))
            return "strings end before they begin";
        if (!padded(v->values, v->nbytes) || (c->bits == 1 && v->nvalues % 8 &&
                                              v->values[v->nbytes - 1] >> v->nvalues % 8))
            return "padding that is not 0";
        if (b->head.cut >> i & 1 && (!c->text || v->nvalues == 0))
            return "a string goes on where there is none";
    }
    if (l->ncolumns < 64 && b->head.cut >> l->ncolumns)
        return "a string goes on where there is no column";
    return NULL;
}
