#include "shuf/shufrange.h"

#include <math.h>
#include <string.h>

#include "base/key.h"
#include "base/mem.h"
#include "base/permute.h"
#include "par/pipeline.h"
#include "par/thread.h"

enum { BATCH_ROWS = 8192, NUMBER_BYTES = 20 + 8 };

struct batch {
    uint64_t first, n;
    uint8_t bytes[BATCH_ROWS * NUMBER_BYTES];
    uint32_t ends[BATCH_ROWS];
    uint64_t sum;
};

struct range_job {
    const struct tsl_shufrange *r;
    const struct tsl_shufjob_opts *o;
    struct tsl_shufjob_stats *st;
    struct tsl_permute perm;
    struct tsl_key draws;
    struct tsl_outset *out;
    uint64_t next, end, sum;
};

static int read_positions(void *ctx, void *item, struct tsl_err *err)
{
    struct range_job *j = ctx;
    struct batch *b = item;
    (void)err;
    b->first = j->next;
    b->n = j->end - j->next < BATCH_ROWS ? j->end - j->next : BATCH_ROWS;
    j->next += b->n;
    return b->n > 0;
}

static size_t put_decimal(uint8_t *to, uint64_t v)
{
    uint8_t digits[20];
    size_t n = 0;
    do
        digits[n++] = (uint8_t)('0' + v % 10);
    while (v /= 10);
    for (size_t i = 0; i < n; i++)
        to[i] = digits[n - 1 - i];
    return n;
}

static int work_numbers(void *ctx, unsigned worker, void *item, struct tsl_err *err)
{
    struct range_job *j = ctx;
    struct batch *b = item;
    const struct tsl_frame *f = &j->o->frame;
    size_t head = tsl_frame_head(f), tail = tsl_frame_tail(f), at = 0;
    (void)worker, (void)err;
    b->sum = 0;
    for (uint64_t i = 0; i < b->n; i++) {
        uint64_t v = j->r->repeat ? tsl_key_below(&j->draws, b->first + i, j->perm.n)
                                  : tsl_permute_at(&j->perm, b->first + i);
        b->sum += v;
        size_t n = put_decimal(b->bytes + at + head, j->r->lo + v);
        tsl_frame_put_head(f, b->bytes + at, n);
        tsl_frame_put_tail(f, b->bytes + at + head + n);
        at += head + n + tail;
        b->ends[i] = (uint32_t)at;
    }
    return 0;
}

static int write_numbers(void *ctx, void *item, struct tsl_err *err)
{
    struct range_job *j = ctx;
    struct batch *b = item;
    j->sum += b->sum;
    j->st->rows_out += b->n;
    j->st->row_bytes_out += b->ends[b->n - 1] - b->n * (tsl_frame_head(&j->o->frame) +
                                                        tsl_frame_tail(&j->o->frame));
    return tsl_outset_put(j->out, b->bytes, b->ends, b->n, err);
}

/* 0 + 1 + ... + (n - 1), modulo 2^64. */
static uint64_t sum_below(uint64_t n)
{
    return n % 2 ? n * ((n - 1) / 2) : n / 2 * (n - 1);
}

/* n * share, rounded down, the same on every machine: long doubles are not.  share below 1. */
static uint64_t share_of(uint64_t n, double share)
{
    __extension__ unsigned __int128 product = n;
    product *= (uint64_t)ldexp(share, 64);
    return (uint64_t)(product >> 64);
}

int tsl_shufrange_run(const struct tsl_shufrange *r, const struct tsl_shufjob_opts *o,
                      struct tsl_shufjob_stats *st, struct tsl_err *err)
{
    uint64_t n = r->hi - r->lo + 1;
    struct range_job j = { .r = r,
                           .o = o,
                           .st = st,
                           .perm = tsl_permute_make(o->seed, "shuffle range", n),
                           .draws = tsl_key_make(o->seed, "draw numbers") };
    struct tsl_outset_opts oo = o->out;
    unsigned nthreads = o->nthreads ? o->nthreads : 1, nitems = nthreads + 2;
    struct batch *batches = NULL;
    void **items = NULL;
    double start = tsl_seconds();
    *st = (struct tsl_shufjob_stats){ 0 };
    j.end = r->repeat ? o->head : n < o->head ? n : o->head;
    if (o->sample < 1 && share_of(n, o->sample) < j.end)
        j.end = share_of(n, o->sample);
    oo.nparts = 1;
    oo.nthreads = nthreads;
    oo.progress = o->progress;
    int rc = tsl_outset_create(&j.out, &oo, err);
    if (rc == 0)
        rc = tsl_outset_begin(j.out, j.end, NULL, NULL, err);
    batches = rc == 0 ? tsl_mem_alloc(nitems, sizeof *batches, "batches", err) : NULL;
    items = rc == 0 ? tsl_mem_alloc(nitems, sizeof *items, "batches", err) : NULL;
    if (rc == 0 && (!batches || !items))
        rc = TSL_ENOMEM;
    if (rc == 0) {
        for (unsigned i = 0; i < nitems; i++)
            items[i] = &batches[i];
        struct tsl_pipeline p = { .read = read_positions,
                                  .work = work_numbers,
                                  .write = write_numbers,
                                  .ctx = &j,
                                  .items = items,
                                  .nitems = nitems,
                                  .nthreads = nthreads };
        rc = tsl_pipeline_run(&p, err);
    }
    st->verified = !r->repeat && j.end == n;
    if (rc == 0 && st->verified && j.sum != sum_below(n))
        rc = tsl_err_set(err, TSL_EVERIFY,
                         "the numbers written are not those of the range");
    if (rc == 0)
        rc = tsl_outset_commit(j.out, err);
    if (j.out) {
        st->files_out = tsl_outset_files(j.out);
        st->bytes_out = tsl_outset_bytes(j.out);
        for (size_t i = 0; i < oo.nsplits && i < 64; i++)
            st->split_rows[i] = tsl_outset_split_rows(j.out, i);
    }
    st->rows_read = st->in.rows = n;
    st->seconds_out = tsl_seconds() - start;
    st->plan.nthreads = nthreads;
    tsl_mem_free(batches);
    tsl_mem_free(items);
    tsl_outset_destroy(j.out);
    return rc;
}
