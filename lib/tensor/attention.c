#include "tensor/attention.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "par/pool.h"
#include "tensor/attention_parts.h"
#include "tensor/kernels.h"

/* ---- whom a query sees ---- */

static void clip(struct tsl_attention_run *r, size_t from, size_t to)
{
    if (r->from < from)
        r->from = (uint32_t)from;
    if (r->to > to)
        r->to = (uint32_t)to;
}

void tsl_attention_runs(const struct tsl_attention *a, size_t b, size_t first,
                        size_t last, struct tsl_attention_run *runs)
{
    size_t length = a->tk;
    if (a->lengths)
        length = a->lengths[b] < 0 ? 0 : (size_t)a->lengths[b];
    for (size_t i = first; i < last; i++) {
        struct tsl_attention_run *r = &runs[i - first];
        *r = (struct tsl_attention_run){ 0, (uint32_t)a->tk };
        clip(r, 0, length);
        if (a->mask == TSL_ATTENTION_CAUSAL)
            clip(r, 0, i + 1);
        if (a->mask == TSL_ATTENTION_PREFIX) {
            size_t prefix = a->prefix[b] < 0 ? 0 : (size_t)a->prefix[b];
            clip(r, 0, i + 1 > prefix ? i + 1 : prefix);
        }
    }
    if (a->mask == TSL_ATTENTION_UNILM) {
        const int32_t *c = a->sums + b * a->tk;
        size_t to = first;
        for (size_t i = first; i < last; i++) {
            while (to < a->tk && c[to] <= c[i])
                to++;
            clip(&runs[i - first], 0, to);
        }
    }
    if (a->docs) {
        const int32_t *d = a->docs + b * a->tk;
        size_t from = first, to = first;
        while (from > 0 && from < a->tk && d[from - 1] == d[first])
            from--;
        for (size_t i = first; i < last; i++) {
            if (d[i] != d[from])
                from = i;
            while (to < a->tk && (to <= i || d[to] == d[i]))
                to++;
            clip(&runs[i - first], from, to);
        }
    }
    for (size_t i = first; i < last; i++)
        if (runs[i - first].to < runs[i - first].from)
            runs[i - first].to = runs[i - first].from;
}

/* ---- pieces of work, and who does them ---- */

/* Queries of one head that forward gives to one thread: all where there are heads enough, or
 * some, if few heads are long.  A piece packs the keys for itself, hence not fewer. */
enum { PIECES_WANTED = 64, PIECE_ROWS_MIN = 128 };

struct job {
    const struct tsl_attention *a;
    const struct tsl_attention_grads *g; /* NULL: forward */
    const struct tsl_kernels *kernels;
    size_t rows, split; /* queries of a piece; pieces of a head */
    atomic_size_t next;
    size_t n;
    char *scratch;
    size_t scratch_bytes; /* of one thread */
};

static size_t runs_bytes(const struct tsl_attention *a)
{
    return (a->tq * sizeof(struct tsl_attention_run) + 63) / 64 * 64;
}

static size_t thread_bytes(const struct tsl_attention *a)
{
    /* An odd number of lines, or two threads' would share sets of the cache. */
    return (runs_bytes(a) + attention_floats(a) * sizeof(float)) / 128 * 128 + 192;
}

size_t tsl_attention_scratch_bytes(const struct tsl_attention *a, unsigned nthreads)
{
    return thread_bytes(a) * nthreads;
}

static void do_piece(const struct job *job, size_t b, size_t h, size_t part,
                     char *scratch)
{
    const struct tsl_attention *a = job->a;
    struct tsl_attention_piece piece = { .b = b,
                                         .h = h,
                                         .first = part * job->rows,
                                         .last = (part + 1) * job->rows,
                                         .runs = (void *)scratch };
    piece.last = piece.last < a->tq ? piece.last : a->tq;
    piece.scratch = (void *)(scratch + runs_bytes(a));
    tsl_attention_runs(a, b, piece.first, piece.last, piece.runs);
    if (job->g)
        job->kernels->attention_backward(a, job->g, &piece);
    else
        job->kernels->attention_forward(a, &piece);
}

/* Thread after thread takes the next piece, with the scratch of its number: who does which
 * changes nothing. */
static void work(void *ctx, unsigned number)
{
    struct job *job = ctx;
    const struct tsl_attention *a = job->a;
    char *scratch = job->scratch + number * job->scratch_bytes;
    for (;;) {
        size_t i = atomic_fetch_add(&job->next, 1);
        if (i >= job->n)
            return;
        size_t part = i % job->split, h = i / job->split % a->heads;
        if (job->g && job->g->dbias) /* summed over the batch: a head is one piece */
            for (size_t b = 0; b < a->batch; b++)
                do_piece(job, b, i, 0, scratch);
        else
            do_piece(job, i / job->split / a->heads, h, part, scratch);
    }
}

static void run(struct job *job, struct tsl_pool *pool, void *scratch)
{
    const struct tsl_attention *a = job->a;
    assert(a->dim > 0 && a->dim_v > 0 && a->tq < UINT32_MAX && a->tk < UINT32_MAX - 64);
    assert(a->tq == a->tk || (!a->docs && a->mask != TSL_ATTENTION_UNILM));
    assert(a->drop >= 0 && a->drop < 1);
    job->kernels = a->kernels ? a->kernels : tsl_kernels();
    job->scratch = scratch;
    job->scratch_bytes = thread_bytes(a);
    if (pool)
        tsl_pool_run(pool, tsl_pool_threads(pool), work, job);
    else
        work(job, 0);
}

void tsl_attention_forward(const struct tsl_attention *a, struct tsl_pool *pool,
                           void *scratch)
{
    struct job job = { .a = a };
    size_t heads = a->batch * a->heads;
    size_t wanted = heads ? (PIECES_WANTED + heads - 1) / heads : 1;
    job.rows = (a->tq / wanted + ATTENTION_ROWS) / ATTENTION_ROWS * ATTENTION_ROWS;
    job.rows = job.rows < PIECE_ROWS_MIN ? PIECE_ROWS_MIN : job.rows;
    job.split = (a->tq + job.rows - 1) / job.rows;
    job.n = heads * job.split;
    run(&job, pool, scratch);
}

void tsl_attention_backward(const struct tsl_attention *a,
                            const struct tsl_attention_grads *g, struct tsl_pool *pool,
                            void *scratch)
{
    struct job job = { .a = a, .g = g, .rows = a->tq, .split = 1 };
    job.n = g->dbias ? a->heads : a->batch * a->heads;
    if (g->dbias)
        memset(g->dbias, 0, a->heads * a->tq * a->tk * sizeof *g->dbias);
    run(&job, pool, scratch);
}
