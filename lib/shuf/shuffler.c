#include "shuf/shuffler.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "shuf/shufcore.h"

struct tsl_shuffler {
    struct tsl_shufcore core;
    struct tsl_scatter scatter;
    uint64_t addr; /* of the next row: its place in a file of these lines */
    bool reading;
    struct tsl_gather gather;
    size_t row, gap; /* next in gather */
    uint64_t rows_in, rows_out;
    uint8_t *lent; /* a long row, put together */
    size_t lent_len, lent_cap;
};

struct tsl_shuffler_opts tsl_shuffler_defaults(void)
{
    static const char *const dirs[] = { "/tmp" };
    return (struct tsl_shuffler_opts){ .memory = UINT64_C(256) << 20,
                                       .dirs = dirs,
                                       .ndirs = 1 };
}

int tsl_shuffler_create(struct tsl_shuffler **out, const struct tsl_shuffler_opts *o,
                        struct tsl_err *err)
{
    /* pages: the hash states inside want 64-byte alignment, which the heap does not
     * promise */
    struct tsl_shuffler *s = tsl_pages_map(sizeof *s, "a shuffler", err);
    if (!s)
        return TSL_ENOMEM;
    struct tsl_shufplan_in in = { .memory = o->memory, .nthreads = 1, .nparts = 1 };
    struct tsl_shufplan plan = tsl_shufplan_make(&in);
    struct tsl_shufcore_opts co = {
        .seed = o->seed,
        .frame = { TSL_FRAME_LINE, 0 },
        .nparts = 1,
        .by_content = o->unique,
        .want_ends = true,
        .verify = true,
        .key_mask = UINT64_MAX,
        .dirs = o->dirs,
        .ndirs = o->ndirs,
        .head = UINT64_MAX,
        .cut = UINT64_MAX,
    };
    int rc = tsl_shufcore_init(&s->core, &co, &plan, err);
    if (rc == 0)
        rc = tsl_shufcore_scatter(&s->core, &s->scatter, err);
    if (rc < 0) {
        tsl_shuffler_destroy(s);
        return rc;
    }
    *out = s;
    return 0;
}

void tsl_shuffler_destroy(struct tsl_shuffler *s)
{
    if (!s)
        return;
    if (s->scatter.store)
        tsl_scatter_fini(&s->scatter);
    if (s->gather.memory)
        tsl_gather_fini(&s->gather);
    tsl_shufcore_fini(&s->core);
    tsl_mem_free(s->lent);
    tsl_pages_unmap(s, sizeof *s);
}

int tsl_shuffler_put(struct tsl_shuffler *s, const void *row, size_t len,
                     struct tsl_err *err)
{
    assert(!s->reading);
    struct tsl_u128 content = { 0, 0 };
    uint64_t addr = s->addr;
    if (s->core.o.by_content)
        content = tsl_hash128(row, len);
    s->addr += len + 1;
    s->rows_in++;
    return tsl_shufcore_put(&s->core, &s->scatter,
                            tsl_shufcore_key(&s->core, addr, content), addr, row, len,
                            tsl_hash_row(row, len, false), false, err);
}

static int begin(struct tsl_shuffler *s, struct tsl_err *err)
{
    s->reading = true;
    int rc = tsl_scatter_finish(&s->scatter, err);
    if (rc == 0)
        rc = tsl_shufcore_begin_output(&s->core, 0, 0, 1, err);
    return rc < 0
               ? rc
               : tsl_gather_init(&s->gather, &s->core.gather, s->core.gather_bytes, err);
}

static int append(void *ctx, size_t part, const uint8_t *p, size_t n, struct tsl_err *err)
{
    struct tsl_shuffler *s = ctx;
    (void)part;
    int rc = tsl_mem_grow(&s->lent, &s->lent_cap, s->lent_len + n, 1, "a long row", err);
    if (rc == 0) {
        memcpy(s->lent + s->lent_len, p, n);
        s->lent_len += n;
    }
    return rc;
}

int tsl_shuffler_next(struct tsl_shuffler *s, struct tsl_slice *row, struct tsl_err *err)
{
    struct tsl_gather *g = &s->gather;
    int rc = s->reading ? 0 : begin(s, err);
    while (rc == 0 && s->row == g->nrows) {
        struct tsl_bucket *b;
        rc = tsl_shufcore_next(&s->core, &b, err);
        if (rc == 0 && s->rows_out + s->core.dropped.rows != s->rows_in)
            return tsl_err_set(err, TSL_EVERIFY, "%llu rows put in, %llu taken out",
                               (unsigned long long)s->rows_in,
                               (unsigned long long)s->rows_out);
        if (rc <= 0)
            return rc;
        rc = tsl_gather_run(g, b, true, err);
        s->row = s->gap = 0;
        s->rows_out += g->dropped.rows;
    }
    if (rc < 0)
        return rc;
    size_t start = s->row ? g->ends[0][s->row - 1] : 0;
    *row = (struct tsl_slice){ g->image[0] + start, g->ends[0][s->row] - start - 1 };
    if (s->gap < g->ngaps && g->gaps[s->gap].row == s->row) {
        s->lent_len = 0;
        rc = tsl_bigrows_stream(&s->core.bigs, g->gaps[s->gap++].id, false, append, s,
                                err);
        *row = (struct tsl_slice){ s->lent, s->lent_len };
    }
    s->row++;
    s->rows_out++;
    return rc < 0 ? rc : 1;
}
