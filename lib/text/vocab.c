#include "text/vocab.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/quote.h"

enum {
    CHUNK_BYTES = 64 << 10,
    /* The largest vocabularies have about a million ids; a file that names a higher one
     * than this lies, and must not cost a table of its size. */
    ID_MAX = (1 << 24) - 1
};

/* Bytes never move once they are copied: what tsl_vocab_token lent stays good. */
struct chunk {
    struct chunk *next;
    size_t used, cap;
    uint8_t bytes[];
};

struct entry {
    const uint8_t *data;
    uint32_t len, id;
};

struct slot {
    uint32_t tag; /* upper half of the hash, so that few entries are looked at in vain */
    uint32_t entry; /* its number + 1; 0: free */
};

struct tsl_vocab {
    struct chunk *chunks;
    struct entry *entries;
    size_t count, entries_cap;
    uint32_t *by_id; /* number of the entry + 1; 0: a hole */
    size_t size, by_id_cap;
    struct slot *slots; /* a power of two of them, at most 3/4 taken */
    size_t slots_mask, nslots_used;
    size_t longest, duplicates;
};

struct tsl_vocab *tsl_vocab_create(struct tsl_err *err)
{
    enum { NSLOTS = 64 };
    struct tsl_vocab *v = tsl_mem_alloc(1, sizeof *v, "a vocabulary", err);
    if (!v)
        return NULL;
    v->slots = tsl_mem_alloc(NSLOTS, sizeof *v->slots, "a vocabulary", err);
    if (!v->slots) {
        tsl_mem_free(v);
        return NULL;
    }
    v->slots_mask = NSLOTS - 1;
    return v;
}

void tsl_vocab_destroy(struct tsl_vocab *v)
{
    if (!v)
        return;
    for (struct chunk *c = v->chunks, *next; c; c = next) {
        next = c->next;
        tsl_mem_free(c);
    }
    tsl_mem_free(v->entries);
    tsl_mem_free(v->by_id);
    tsl_mem_free(v->slots);
    tsl_mem_free(v);
}

/* A token for a message: quoted, as far as it fits. */
static struct tsl_quoted quoted(const uint8_t *data, size_t len)
{
    char s[128];
    if (len > sizeof s - 1)
        len = sizeof s - 1;
    memcpy(s, data, len);
    s[len] = '\0';
    return tsl_quote(s);
}

static const uint8_t *arena_put(struct tsl_vocab *v, struct tsl_slice s,
                                struct tsl_err *err)
{
    struct chunk *c = v->chunks;
    if (!c || c->cap - c->used < s.len) {
        size_t cap = s.len > CHUNK_BYTES ? s.len : CHUNK_BYTES;
        c = tsl_mem_alloc(1, sizeof *c + cap, "a vocabulary", err);
        if (!c)
            return NULL;
        c->cap = cap;
        c->next = v->chunks;
        v->chunks = c;
    }
    uint8_t *p = c->bytes + c->used;
    if (s.len)
        memcpy(p, s.data, s.len);
    c->used += s.len;
    return p;
}

/* The slot that holds the token, or the free one where it belongs. */
static struct slot *slot_of(const struct tsl_vocab *v, struct tsl_slice s, uint64_t hash)
{
    for (size_t i = hash & v->slots_mask;; i = (i + 1) & v->slots_mask) {
        struct slot *slot = &v->slots[i];
        if (!slot->entry)
            return slot;
        if (slot->tag != (uint32_t)(hash >> 32))
            continue;
        const struct entry *e = &v->entries[slot->entry - 1];
        if (e->len == s.len && (!s.len || memcmp(e->data, s.data, s.len) == 0))
            return slot;
    }
}

static int slots_grow(struct tsl_vocab *v, struct tsl_err *err)
{
    size_t n = v->slots_mask + 1;
    if (v->nslots_used < n - n / 4)
        return 0;
    struct slot *grown = tsl_mem_alloc(2 * n, sizeof *grown, "a vocabulary", err);
    if (!grown)
        return TSL_ENOMEM;
    size_t mask = 2 * n - 1;
    for (size_t i = 0; i < n; i++) {
        if (!v->slots[i].entry)
            continue;
        const struct entry *e = &v->entries[v->slots[i].entry - 1];
        size_t k = tsl_hash64(e->data, e->len, 0) & mask;
        while (grown[k].entry)
            k = (k + 1) & mask;
        grown[k] = v->slots[i];
    }
    tsl_mem_free(v->slots);
    v->slots = grown;
    v->slots_mask = mask;
    return 0;
}

static int by_id_grow(struct tsl_vocab *v, uint32_t id, struct tsl_err *err)
{
    size_t old = v->by_id_cap;
    int rc = tsl_mem_grow(&v->by_id, &v->by_id_cap, (size_t)id + 1, sizeof *v->by_id,
                          "a vocabulary", err);
    if (rc == 0 && v->by_id_cap > old)
        memset(v->by_id + old, 0, (v->by_id_cap - old) * sizeof *v->by_id);
    return rc;
}

int tsl_vocab_add(struct tsl_vocab *v, uint32_t id, struct tsl_slice token,
                  struct tsl_err *err)
{
    if (id > ID_MAX)
        return tsl_err_set(err, TSL_EFORMAT, "token %s has id %lu; the highest is %d",
                           quoted(token.data, token.len).s, (unsigned long)id, ID_MAX);
    if (token.len > UINT32_MAX)
        return tsl_err_set(err, TSL_EFORMAT, "token %lu is longer than 4 GiB",
                           (unsigned long)id);
    if (id < v->size && v->by_id[id]) {
        const struct entry *e = &v->entries[v->by_id[id] - 1];
        return tsl_err_set(err, TSL_EFORMAT, "tokens %s and %s have the same id %lu",
                           quoted(e->data, e->len).s, quoted(token.data, token.len).s,
                           (unsigned long)id);
    }
    int rc = slots_grow(v, err);
    if (rc == 0)
        rc = by_id_grow(v, id, err);
    if (rc == 0)
        rc = tsl_mem_grow(&v->entries, &v->entries_cap, v->count + 1, sizeof *v->entries,
                          "a vocabulary", err);
    if (rc < 0)
        return rc;
    uint64_t hash = tsl_hash64(token.data, token.len, 0);
    struct slot *slot = slot_of(v, token, hash);
    const uint8_t *data = NULL;
    if (slot->entry)
        data = v->entries[slot->entry - 1].data; /* the same bytes: kept once */
    else
        data = arena_put(v, token, err);
    if (!data)
        return TSL_ENOMEM;
    if (slot->entry)
        v->duplicates++;
    else
        v->nslots_used++;
    v->entries[v->count++] =
        (struct entry){ .data = data, .len = (uint32_t)token.len, .id = id };
    *slot = (struct slot){ (uint32_t)(hash >> 32), (uint32_t)v->count };
    v->by_id[id] = (uint32_t)v->count;
    if (id >= v->size)
        v->size = (size_t)id + 1;
    if (token.len > v->longest)
        v->longest = token.len;
    return 0;
}

int64_t tsl_vocab_find(const struct tsl_vocab *v, struct tsl_slice token)
{
    const struct slot *slot = slot_of(v, token, tsl_hash64(token.data, token.len, 0));
    return slot->entry ? (int64_t)v->entries[slot->entry - 1].id : TSL_VOCAB_NONE;
}

struct tsl_slice tsl_vocab_token(const struct tsl_vocab *v, uint32_t id)
{
    if (id >= v->size || !v->by_id[id])
        return (struct tsl_slice){ NULL, 0 };
    const struct entry *e = &v->entries[v->by_id[id] - 1];
    return (struct tsl_slice){ e->data, e->len };
}

uint32_t tsl_vocab_size(const struct tsl_vocab *v)
{
    return (uint32_t)v->size;
}

size_t tsl_vocab_count(const struct tsl_vocab *v)
{
    return v->count;
}

size_t tsl_vocab_longest(const struct tsl_vocab *v)
{
    return v->longest;
}

size_t tsl_vocab_duplicates(const struct tsl_vocab *v)
{
    return v->duplicates;
}
