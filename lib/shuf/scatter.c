#include "shuf/scatter.h"

#include "base/mem.h"

int tsl_scatter_init(struct tsl_scatter *s, struct tsl_store *store, size_t chunk_bytes,
                     struct tsl_bucket *buckets, unsigned log_n, unsigned bits,
                     struct tsl_err *err)
{
    size_t n = (size_t)1 << log_n;
    *s = (struct tsl_scatter){ .store = store,
                               .buckets = buckets,
                               .log_n = log_n,
                               .bits = bits,
                               .chunk_bytes = chunk_bytes };
    s->tune = tsl_block_tune_for(64, 64, 64.0 * (double)n);
    s->writers = tsl_mem_alloc(n, sizeof *s->writers, "buckets", err);
    s->tallies = tsl_mem_alloc(n, sizeof *s->tallies, "buckets", err);
    if (!s->writers || !s->tallies) {
        tsl_scatter_fini(s);
        return TSL_ENOMEM;
    }
    return 0;
}

static int put_block(struct tsl_scatter *s, size_t b, struct tsl_err *err)
{
    uint8_t *chunk = s->writers[b].chunk;
    tsl_rowwriter_end(&s->writers[b], (uint32_t)s->chunk_bytes);
    return tsl_store_put(s->store, &s->buckets[b].blocks, chunk, err);
}

int tsl_scatter_turn(struct tsl_scatter *s, size_t b, uint64_t addr, struct tsl_err *err)
{
    int rc = s->writers[b].chunk ? put_block(s, b, err) : 0;
    if (rc < 0)
        return rc;
    uint8_t *chunk = tsl_store_take(s->store, err);
    if (!chunk)
        return TSL_ENOMEM;
    tsl_rowwriter_begin(&s->writers[b], chunk, (uint32_t)s->chunk_bytes, addr, s->tune);
    return 0;
}

int tsl_scatter_ref(struct tsl_scatter *s, uint64_t key, uint64_t addr, uint64_t id,
                    uint64_t len, struct tsl_u128 hash, struct tsl_err *err)
{
    size_t b = tsl_scatter_bucket(s, key);
    struct tsl_rowwriter *w = &s->writers[b];
    if (!w->chunk || !tsl_rowwriter_fits(w, sizeof id)) {
        int rc = tsl_scatter_turn(s, b, addr, err);
        if (rc < 0)
            return rc;
    }
    tsl_rowwriter_put_ref(w, addr, id);
    struct tsl_tally one = { 1, len, 1, len, hash };
    tsl_tally_add(&s->tallies[b], &one);
    return 0;
}

int tsl_scatter_finish(struct tsl_scatter *s, struct tsl_err *err)
{
    size_t n = (size_t)1 << s->log_n;
    for (size_t b = 0; b < n; b++) {
        if (s->writers[b].chunk) {
            int rc = put_block(s, b, err);
            if (rc < 0)
                return rc;
        }
        tsl_tally_add(&s->buckets[b].tally, &s->tallies[b]);
        s->tallies[b] = (struct tsl_tally){ 0 };
    }
    return 0;
}

void tsl_scatter_fini(struct tsl_scatter *s)
{
    for (size_t b = 0; s->writers && b < (size_t)1 << s->log_n; b++)
        if (s->writers[b].chunk)
            tsl_store_give(s->store, s->writers[b].chunk);
    tsl_mem_free(s->writers);
    tsl_mem_free(s->tallies);
    *s = (struct tsl_scatter){ 0 };
}
