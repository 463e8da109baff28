#include "text/wordcache.h"

#include <stdbool.h>

#include "base/mem.h"

/* Beyond this the table no longer fits the cache of the CPU that it shares, and words that
 * are rare enough to need it cost as much to fetch as to take apart. */
enum { SLOTS_BYTES_MAX = 32 << 20, LINE_BYTES = 64 };

/* The first size is small enough for a core's own cache. */
enum { SLOTS_BYTES_MIN = 1 << 20, GROWTH = 4 };

int tsl_wordcache_init(struct tsl_wordcache *c, size_t memory, struct tsl_err *err)
{
    size_t slots_bytes = SLOTS_BYTES_MAX;
    while (slots_bytes > memory / 4 * 3 && slots_bytes > TSL_PAGE_BYTES)
        slots_bytes /= 2;
    size_t more_bytes = slots_bytes / 4;
    *c = (struct tsl_wordcache){ .pages_bytes = slots_bytes + more_bytes };
    c->pages = tsl_pages_map(c->pages_bytes, "the word cache", err);
    if (!c->pages)
        return TSL_ENOMEM;
    /* before the first touch: a fault for each small page is a tenth of a cold run */
    tsl_pages_want_huge(c->pages, slots_bytes);
    c->slots = c->pages;
    c->mask_max = slots_bytes / LINE_BYTES - 1;
    c->mask = c->mask_max;
    while (c->mask >= (uint64_t)GROWTH * SLOTS_BYTES_MIN / LINE_BYTES - 1)
        c->mask /= GROWTH;
    c->more = (uint32_t *)((uint8_t *)c->pages + slots_bytes);
    c->more_cap = more_bytes / sizeof *c->more;
    return 0;
}

void tsl_wordcache_fini(struct tsl_wordcache *c)
{
    if (c->pages)
        tsl_pages_unmap(c->pages, c->pages_bytes);
    *c = (struct tsl_wordcache){ 0 };
}

void tsl_wordcache_clear(struct tsl_wordcache *c)
{
    memset(c->slots, 0, (c->mask + 1) * LINE_BYTES);
    c->more_n = 0;
    c->nput = 0;
}

static bool is_free(const struct tsl_wordslot *s)
{
    return !(s->key.lo | s->key.hi);
}

static void place(struct tsl_wordcache *c, const struct tsl_wordslot *made, uint64_t hash)
{
    struct tsl_wordslot *s = &c->slots[2 * (hash & c->mask)];
    if (!is_free(s) && (is_free(s + 1) || (hash >> 32 & 1)))
        s++;
    *s = *made;
}

/* With more bits of the hash in use a word stays in its pair or moves to one that lies
 * behind all pairs so far, where nothing is. */
static void grow(struct tsl_wordcache *c)
{
    uint64_t before = c->mask, mask = before * GROWTH + (GROWTH - 1);
    c->nput = 0;
    if (mask > c->mask_max)
        mask = c->mask_max;
    if (mask == before)
        return;
    c->mask = mask;
    for (uint64_t i = 0; i < 2 * (before + 1); i++) {
        struct tsl_wordslot word = c->slots[i];
        if (is_free(&word))
            continue;
        uint64_t hash = tsl_wordkey_hash(word.key);
        c->nput++;
        if ((hash & mask) == i / 2)
            continue;
        c->slots[i] = (struct tsl_wordslot){ 0 };
        place(c, &word, hash);
    }
}

void tsl_wordcache_put(struct tsl_wordcache *c, struct tsl_wordkey key, uint64_t hash,
                       const uint32_t *ids, size_t n, unsigned flags)
{
    struct tsl_wordslot made = { .key = key, .n = (uint16_t)n, .flags = (uint16_t)flags };
    if (++c->nput > (c->mask + 1) / 2)
        grow(c);
    if (n <= TSL_WORDSLOT_INLINE) {
        for (size_t i = 0; i < n; i++)
            made.ids[i] = ids[i];
    } else {
        if (n > c->more_cap || n > UINT16_MAX)
            return;
        if (c->more_cap - c->more_n < n)
            tsl_wordcache_clear(c);
        memcpy(c->more + c->more_n, ids, n * sizeof *ids);
        made.ids[0] = (uint32_t)c->more_n;
        c->more_n += n;
    }
    place(c, &made, hash);
}
