#include "prep/specials.h"

#include "base/mem.h"

int tsl_specials_init(struct tsl_specials *x, const struct tsl_special_ids *special,
                      struct tsl_err *err)
{
    const int64_t ids[] = { special->pad,  special->unk, special->cls, special->sep,
                            special->mask, special->bos, special->eos };
    uint32_t n = special->vocab_size;
    *x = (struct tsl_specials){ .high = n, .vocab_size = n };
    x->bits = tsl_mem_alloc(n / 8 + 1, 1, "the special ids", err);
    if (!x->bits)
        return TSL_ENOMEM;
    if (special->reserved)
        memcpy(x->bits, special->reserved, (n + 7) / 8);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (ids[i] >= 0 && ids[i] < n)
            x->bits[ids[i] / 8] |= (uint8_t)(1 << ids[i] % 8);
    for (uint32_t id = 0; id < n; id++) {
        if (!(x->bits[id / 8] >> (id % 8) & 1))
            x->nfree++;
        else if (id < n / 2)
            x->low = id + 1;
        else if (id < x->high)
            x->high = id;
    }
    return 0;
}

void tsl_specials_fini(struct tsl_specials *x)
{
    tsl_mem_free(x->bits);
    *x = (struct tsl_specials){ 0 };
}

typedef uint32_t word4 __attribute__((vector_size(16)));

/* Bit i: ids[i] is beyond the ids that have no special among them, 32 of them. */
static uint32_t beyond(const uint32_t *ids, uint32_t low, uint32_t span)
{
    word4 found = { 0 }, bit = { 1, 2, 4, 8 };
    for (unsigned i = 0; i < 32; i += 4, bit <<= 4) {
        word4 v;
        memcpy(&v, ids + i, sizeof v);
        found |= (word4)(v - low >= span) & bit;
    }
    return found[0] | found[1] | found[2] | found[3];
}

void tsl_specials_find(const struct tsl_specials *x, const uint32_t *ids, uint32_t n,
                       uint64_t *set)
{
    uint32_t low = x->low, span = x->high - x->low;
    for (uint32_t from = 0; from < n; from += 64) {
        uint32_t to = n - from < 64 ? n : from + 64, i = from;
        uint64_t left = 0, found = 0;
        for (; i + 32 <= to; i += 32)
            left |= (uint64_t)beyond(ids + i, low, span) << (i - from);
        for (; i < to; i++)
            left |= (uint64_t)(ids[i] - low >= span) << (i - from);
        for (; left; left &= left - 1) {
            unsigned at = (unsigned)__builtin_ctzll(left);
            found |= (uint64_t)tsl_specials_has(x, ids[from + at]) << at;
        }
        set[from / 64] = found;
    }
}
