#include "train/samplestore.h"

#include "base/endian.h"
#include "base/mem.h"
#include "base/widen.h"

/* What stands in front of a sample's lists: ids, starts, places, targets, ends, positions,
 * outs. */
struct head {
    uint64_t address;
    uint32_t n, first, prefix, nmasked, nends, nouts;
    uint8_t label, kind, wide, has_positions;
};

enum { LEAST_BYTES = 1 << 20 };

static size_t id_bytes(const struct head *h)
{
    return h->wide ? 4 : 2;
}

static size_t size_of(const struct tsl_samplestore *p, const struct head *h)
{
    size_t positions = h->has_positions ? h->n : 0;
    return sizeof *h + (p->starts ? h->n : 0) + 4 * positions + 4 * (size_t)h->nends +
           (h->wide ? 4 : 2) * (size_t)h->nmasked +
           id_bytes(h) * ((size_t)h->n + h->nmasked + h->nouts);
}

static bool wide(const uint32_t *v, uint32_t n)
{
    uint32_t all = 0;
    for (uint32_t i = 0; i < n; i++)
        all |= v[i];
    return all > UINT16_MAX;
}

static int make_room(struct tsl_samplestore *p, size_t more, struct tsl_err *err)
{
    size_t cap = p->cap ? p->cap : LEAST_BYTES;
    if (p->len + more <= p->cap)
        return 0;
    while (cap < p->len + more)
        cap += cap / 2;
    uint8_t *bytes = p->bytes ? tsl_pages_resize(p->bytes, p->cap, cap, "samples", err)
                              : tsl_pages_map(cap, "samples", err);
    if (!bytes)
        return TSL_ENOMEM;
    p->bytes = bytes;
    p->cap = cap;
    return 0;
}

static uint8_t *put_numbers(uint8_t *to, const uint32_t *v, uint32_t n, bool is_wide)
{
    if (is_wide)
        memcpy(to, v, 4 * (size_t)n);
    else
        tsl_narrow(to, v, n);
    return to + (is_wide ? 4 : 2) * (size_t)n;
}

int tsl_samplestore_put(struct tsl_samplestore *p, const struct tsl_sample *s,
                        struct tsl_err *err)
{
    struct head h = { .address = s->address,
                      .n = s->n,
                      .first = s->first,
                      .prefix = s->prefix,
                      .nmasked = s->nmasked,
                      .nends = s->nends,
                      .nouts = s->nouts,
                      .label = s->label,
                      .kind = s->kind,
                      .has_positions = s->has_positions };
    h.wide = wide(s->ids, s->n) || wide(s->targets, s->nmasked) ||
             wide(s->outs, s->nouts) || wide(s->places, s->nmasked);
    int rc = make_room(p, size_of(p, &h), err);
    if (rc == 0)
        rc = tsl_mem_grow(&p->at, &p->at_cap, p->n + 1, sizeof *p->at, "samples", err);
    if (rc < 0)
        return rc;
    uint8_t *to = p->bytes + p->len;
    memcpy(to, &h, sizeof h);
    to = put_numbers(to + sizeof h, s->ids, s->n, h.wide);
    if (p->starts) {
        memcpy(to, s->starts, s->n);
        to += s->n;
    }
    to = put_numbers(to, s->places, s->nmasked, h.wide);
    to = put_numbers(to, s->targets, s->nmasked, h.wide);
    to = put_numbers(to, s->ends, s->nends, true);
    if (h.has_positions)
        to = put_numbers(to, s->positions, s->n, true);
    to = put_numbers(to, s->outs, s->nouts, h.wide);
    p->at[p->n++] = p->len;
    p->len = (size_t)(to - p->bytes);
    return 0;
}

static const uint8_t *get_numbers(uint32_t *to, const uint8_t *from, uint32_t n,
                                  bool is_wide)
{
    if (is_wide)
        memcpy(to, from, 4 * (size_t)n);
    else
        tsl_widen(to, from, n);
    return from + (is_wide ? 4 : 2) * (size_t)n;
}

int tsl_samplestore_get(const struct tsl_samplestore *p, size_t i, struct tsl_sample *s,
                        struct tsl_err *err)
{
    struct head h;
    const uint8_t *from = p->bytes + p->at[i];
    memcpy(&h, from, sizeof h);
    uint32_t most = h.n > h.nouts ? h.n : h.nouts;
    most = most > h.nmasked ? most : h.nmasked;
    if (most + 8 > s->cap) {
        tsl_sample_fini(s);
        int rc = tsl_sample_init(s, most + most / 2 + 8, err);
        if (rc < 0)
            return rc;
    }
    tsl_sample_clear(s, h.address);
    s->n = h.n;
    s->first = h.first;
    s->prefix = h.prefix;
    s->nmasked = h.nmasked;
    s->nends = h.nends;
    s->nouts = h.nouts;
    s->label = h.label;
    s->kind = h.kind;
    s->has_positions = h.has_positions;
    from = get_numbers(s->ids, from + sizeof h, h.n, h.wide);
    if (p->starts) {
        memcpy(s->starts, from, h.n);
        from += h.n;
    } else {
        memset(s->starts, 1, h.n);
    }
    from = get_numbers(s->places, from, h.nmasked, h.wide);
    from = get_numbers(s->targets, from, h.nmasked, h.wide);
    from = get_numbers(s->ends, from, h.nends, true);
    if (h.has_positions)
        from = get_numbers(s->positions, from, h.n, true);
    get_numbers(s->outs, from, h.nouts, h.wide);
    return 0;
}

uint64_t tsl_samplestore_bytes(const struct tsl_samplestore *p)
{
    return p->len + p->at_cap * sizeof *p->at;
}

void tsl_samplestore_fini(struct tsl_samplestore *p)
{
    tsl_pages_unmap(p->bytes, p->cap);
    tsl_mem_free(p->at);
    *p = (struct tsl_samplestore){ .n = 0 };
}
