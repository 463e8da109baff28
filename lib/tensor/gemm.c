#include "tensor/gemm.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

#include "par/pool.h"
#include "tensor/gemm_block.h"
#include "tensor/kernels.h"

/* Parts of the chains, and what is packed at a time.  A panel of a (8 rows of 256 floats) is to
 * stay in the first level of caches, panels of b and what of a is packed in the second. */
enum {
    LINES_FEW = 8,
    LINES_MAX = 256,
    B_FLOATS = 128 << 10,
    A_FLOATS = 64 << 10,
    C_FLOATS = 128 << 10 /* of an item, where its parts come back to it */
};

/* Products of fewer multiply-adds have chains of LINES_FEW, at the cost of a tenth of a
 * millisecond at most.  Gradients of models with 32 numbers a token are then off by 3.7e-7 of their
 * norm instead of 4.9e-7 (12 of BERT's and GPT-2's kind). */
enum { SMALL = 1 << 20 };

/* Panels lie this much further apart than they must, so that as many as are written at a time
 * do not fall on the same lines of a cache. */
enum { PANEL_GAP = 16 };

/* How a product is cut.  Only the items know how many threads there are. */
struct plan {
    const struct tsl_kernels *kernels;
    size_t lines, nlines;      /* of a part of the chains; so many parts */
    size_t rows, row_parts;    /* of an item of work */
    size_t cols, col_parts;    /* likewise */
    size_t last, piece;        /* so many items come last, in pieces of so many rows */
    size_t rows_packed;        /* at a time; 0: a is read where it lies */
    size_t a_floats, b_floats; /* a worker's buffers */
};

static size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t div_up(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

static size_t round_up(size_t a, size_t unit)
{
    return div_up(a, unit) * unit;
}

size_t tsl_gemm_chain(size_t m, size_t n, size_t k)
{
    if ((double)m * (double)n * (double)k < SMALL)
        return LINES_FEW;
    return round_up(div_up(k, size_max(1, div_up(k, LINES_MAX))), 16);
}

/* What does not depend on the threads. */
static struct plan plan_buffers(const struct tsl_gemm *g)
{
    struct plan p = { .kernels = g->kernels ? g->kernels : tsl_kernels() };
    size_t height = p.kernels->gemm_rows, width = p.kernels->gemm_cols;
    p.lines = tsl_gemm_chain(g->m, g->n, g->k);
    p.nlines = size_max(1, div_up(g->k, size_max(1, p.lines)));
    p.cols = size_max(width, B_FLOATS / size_max(1, p.lines) / width * width);
    p.cols = size_min(p.cols, round_up(size_max(1, g->n), 16));
    p.b_floats = div_up(p.cols, width) * (p.lines * width + PANEL_GAP);
    if (g->a_col != 1 || g->multiply != TSL_GEMM_F32) {
        p.rows_packed =
            size_max(height, A_FLOATS / size_max(1, p.lines) / height * height);
        p.rows_packed = size_min(p.rows_packed, round_up(size_max(1, g->m), height));
        p.a_floats = p.rows_packed / height * (p.lines * height + PANEL_GAP);
        p.a_floats = round_up(p.a_floats, 16);
    }
    return p;
}

/* The last items come in so many pieces: processors whose other half somebody else uses are slower
 * by a third for milliseconds, and who is through waits for the other one's item.  BERT-mini's
 * forward products take .9 of their time so, with two threads.  Not where both factors would be
 * packed again for each part of the chains: gradients of weights took 1.1 of theirs. */
enum { PIECES = 4 };

static bool comes_in_pieces(const struct plan *p, unsigned nthreads)
{
    return nthreads > 1 && (p->nlines == 1 || !p->rows_packed);
}

/* About how long it takes, with parts of that size, in multiply-adds: the rounds that the
 * threads need for the items, and packing, where a float costs as much as PACK of them. */
static double plan_cost(const struct plan *p, const struct tsl_gemm *g, size_t nbatch,
                        unsigned nthreads, size_t rows, size_t cols)
{
    enum { PACK = 16, FULL = 32 };
    size_t columns = nbatch * div_up(g->n, cols), items = columns * div_up(g->m, rows);
    double wait = comes_in_pieces(p, nthreads) ? .15 : items <= nthreads ? 0 : .5;
    double rounds = (items <= nthreads ? 1 : (double)items / nthreads) + wait;
    double b = (double)cols, a = p->rows_packed ? (double)rows : (double)rows / 8;
    if (p->nlines == 1 && items > nthreads * columns) /* it stays packed */
        b *= (double)(nthreads * columns) / (double)items;
    return rounds * ((double)rows * (double)cols + PACK * (a + b) + FULL);
}

static void plan_parts(struct plan *p, const struct tsl_gemm *g, size_t nbatch,
                       unsigned nthreads)
{
    size_t height = p->kernels->gemm_rows, width = p->kernels->gemm_cols;
    size_t cols_max = p->cols, least = div_up(g->n, cols_max);
    double best = 0;
    p->rows = round_up(g->m, height);
    p->cols = size_min(cols_max, round_up(div_up(g->n, least), width));
    for (size_t more = 0; more < 8 && nthreads > 1; more++)
        for (size_t parts = 1; parts <= 64; parts += (parts + 1) / 2) {
            size_t cols = round_up(div_up(g->n, least + more * (least + 3) / 4), width);
            size_t rows = round_up(div_up(g->m, parts), height);
            cols = size_min(cols, cols_max);
            double cost = plan_cost(p, g, nbatch, nthreads, rows, cols);
            if (best > 0 && cost >= best)
                continue;
            best = cost;
            p->rows = rows;
            p->cols = cols;
        }
    if (p->nlines > 1)
        p->rows = size_min(p->rows, round_up(size_max(1, C_FLOATS / p->cols), height));
    p->row_parts = div_up(g->m, p->rows);
    p->col_parts = div_up(g->n, p->cols);
    size_t nitems = nbatch * p->row_parts * p->col_parts;
    p->piece = round_up(div_up(p->rows, PIECES), height);
    if (comes_in_pieces(p, nthreads) && p->rows >= 2 * PIECES * height)
        p->last = size_min(nitems, nthreads);
}

struct job {
    const struct tsl_gemm *g;
    const struct tsl_gemm_batch *batch;
    struct plan plan;
    float *scratch;
    size_t nitems;
    atomic_size_t next;
};

/* Which b a worker has packed. */
struct packed {
    const float *b;
    size_t col;
};

static void pack_b(const struct job *job, const float *b, size_t line, size_t lines,
                   size_t col, size_t cols, float *to)
{
    const struct tsl_gemm *g = job->g;
    struct tsl_gemm_source s = {
        .from = b + (ptrdiff_t)line * g->b_row + (ptrdiff_t)col * g->b_col,
        .line = g->b_row,
        .item = g->b_col,
        .lines = lines,
        .items = cols,
        .width = job->plan.kernels->gemm_cols,
        .panel = lines * job->plan.kernels->gemm_cols + PANEL_GAP,
        .unit = 16,
        .bf16 = g->multiply == TSL_GEMM_BF16,
    };
    job->plan.kernels->gemm_pack(to, &s);
}

/* Lines of floats as they lie, of items where these lie side by side. */
static struct tsl_gemm_fetch fetch_of(const float *from, ptrdiff_t line, ptrdiff_t item,
                                      size_t lines, size_t items)
{
    uintptr_t at = (uintptr_t)from;
    if (item != 1) {
        ptrdiff_t other = line;
        size_t count = lines;
        line = item, item = other, lines = items, items = count;
    }
    return (struct tsl_gemm_fetch){
        .at = at,
        .end = at + items * sizeof(float),
        .line = at,
        .step = line * (ptrdiff_t)sizeof(float),
        .lines = lines,
    };
}

/* Sums over the lines of a part of a, whose items lie side by side: the first's, or added. */
static void sum_lines(const struct job *job, const float *a, size_t lines, size_t items,
                      float *to, bool first)
{
    enum { SOME = 64 };
    for (size_t i = 0; i < items; i += SOME) {
        float sum[SOME] = { 0 };
        size_t n = size_min(items - i, SOME);
        job->plan.kernels->add_rows(sum, a + i, lines, n, (size_t)job->g->a_col);
        for (size_t j = 0; j < n; j++)
            to[i + j] = first ? sum[j] : to[i + j] + sum[j];
    }
}

/* A part of the chains of an item: block has what b and c are.  a_sum, where not NULL, takes or
 * gets the part of the sums. */
static void run_rows(const struct job *job, struct tsl_gemm_block *block, const float *a,
                     size_t rows, float *a_packed, float *a_sum, bool first)
{
    const struct tsl_gemm *g = job->g;
    const struct plan *p = &job->plan;
    size_t height = p->kernels->gemm_rows, most = p->rows_packed ? p->rows_packed : rows;
    for (size_t i = 0; i < rows; i += most) {
        block->m = size_min(rows - i, most);
        block->a = a + (ptrdiff_t)i * g->a_row;
        block->a_row = g->a_row;
        block->a_col = g->a_col;
        block->a_panel = (ptrdiff_t)height * g->a_row;
        if (p->rows_packed) {
            struct tsl_gemm_source s = {
                .from = block->a,
                .line = g->a_col,
                .item = g->a_row,
                .lines = block->k,
                .items = block->m,
                .width = height,
                .panel = height * block->k + PANEL_GAP,
                .unit = height,
                .bf16 = g->multiply == TSL_GEMM_BF16,
            };
            p->kernels->gemm_pack(a_packed, &s);
            block->a = a_packed;
            block->a_row = 1;
            block->a_col = (ptrdiff_t)height;
            block->a_panel = (ptrdiff_t)s.panel;
        }
        if (a_sum) /* now, for a cache has the lines */
            sum_lines(job, a + (ptrdiff_t)i * g->a_row, block->k, block->m, a_sum + i,
                      first);
        block->next_other = g->a_row * (ptrdiff_t)sizeof(float);
        block->next_tile = 2 * block->next_other;
        p->kernels->gemm_block(block);
        block->c += (ptrdiff_t)block->m * g->c_row;
        if (block->before)
            block->before += (ptrdiff_t)block->m * g->before_row;
    }
}

static void run_item(const struct job *job, size_t index, float *b_packed,
                     struct packed *packed)
{
    const struct tsl_gemm *g = job->g;
    const struct tsl_gemm_batch *s = job->batch;
    const struct plan *p = &job->plan;
    size_t whole = job->nitems - p->last * PIECES, piece = 0, most = p->rows;
    if (index >= whole) {
        piece = (index - whole) % PIECES * p->piece;
        most = piece < p->rows ? size_min(p->piece, p->rows - piece) : 0;
        index = whole + (index - whole) / PIECES;
    }
    size_t row = index % p->row_parts * p->rows + piece;
    size_t col = index / p->row_parts % p->col_parts * p->cols;
    size_t nth = index / (p->row_parts * p->col_parts);
    ptrdiff_t o = (ptrdiff_t)(nth / s->inner), i = (ptrdiff_t)(nth % s->inner);
    const float *a = g->a + o * s->a_outer + i * s->a_inner + (ptrdiff_t)row * g->a_row;
    const float *b = g->b + o * s->b_outer + i * s->b_inner;
    size_t rows = row < g->m ? size_min(most, g->m - row) : 0;
    if (!rows)
        return;
    struct tsl_gemm_block block = { .n = size_min(p->cols, g->n - col), .b = b_packed };
    for (size_t part = 0; part < p->nlines; part++) {
        size_t line = part * p->lines;
        bool last = part + 1 == p->nlines;
        block.k = last ? g->k - line : p->lines;
        size_t after = last ? 0 : size_min(g->k - line - p->lines, p->lines);
        struct tsl_gemm_fetch fetch_b = fetch_of(
            b + (ptrdiff_t)(line + block.k) * g->b_row + (ptrdiff_t)col * g->b_col,
            g->b_row, g->b_col, after, block.n);
        struct tsl_gemm_fetch fetch = fetch_of(a + (ptrdiff_t)(line + block.k) * g->a_col,
                                               g->a_col, g->a_row, after, rows);
        fetch.then = &fetch_b;
        if (last) /* nothing comes: where b lies packed */
            fetch = fetch_of(b_packed, 1, 1, 1, 1);
        block.fetch = &fetch;
        if (p->nlines > 1 || packed->b != b || packed->col != col)
            pack_b(job, b, line, block.k, col, block.n, b_packed);
        *packed = (struct packed){ b, col };
        block.b_panel = block.k * p->kernels->gemm_cols + PANEL_GAP;
        block.c = g->c + o * s->c_outer + i * s->c_inner + (ptrdiff_t)row * g->c_row +
                  (ptrdiff_t)col;
        block.c_row = g->c_row;
        block.from_c = g->add || part > 0;
        if (last) {
            block.bias = g->bias ? g->bias + col : NULL;
            if (g->after != TSL_IDENTITY)
                block.after = p->kernels->unary[g->after];
            block.before_row = g->before_row;
            if (g->before)
                block.before = g->before + o * s->before_outer + i * s->before_inner +
                               (ptrdiff_t)row * g->before_row + (ptrdiff_t)col;
        }
        run_rows(job, &block, a + (ptrdiff_t)line * g->a_col, rows,
                 b_packed + p->b_floats, col == 0 && g->a_sum ? g->a_sum + row : NULL,
                 part == 0);
    }
}

static void work(void *ctx, unsigned worker)
{
    struct job *job = ctx;
    float *buffers = job->scratch + worker * (job->plan.a_floats + job->plan.b_floats);
    struct packed packed = { NULL, 0 };
    size_t i;
    while ((i = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed)) <
           job->nitems)
        run_item(job, i, buffers, &packed);
}

size_t tsl_gemm_scratch_bytes(const struct tsl_gemm *g, unsigned nthreads)
{
    struct plan p = plan_buffers(g);
    return (p.a_floats + p.b_floats) * sizeof(float) * nthreads;
}

void tsl_gemm_run_batch(const struct tsl_gemm *g, const struct tsl_gemm_batch *batch,
                        struct tsl_pool *pool, void *scratch)
{
    /* Fewer multiply-adds than this are done sooner than another thread has woken up. */
    enum { FEW = 1000000 };
    size_t nbatch = batch->outer * batch->inner;
    if (!g->m || !g->n || !nbatch)
        return;
    assert((uintptr_t)scratch % 64 == 0);
    assert(!g->a_sum || (g->a_row == 1 && nbatch == 1));
    unsigned nthreads = pool ? tsl_pool_threads(pool) : 1;
    if ((double)nbatch * (double)g->m * (double)g->n * (double)size_max(1, g->k) < FEW)
        nthreads = 1;
    struct job job = {
        .g = g, .batch = batch, .plan = plan_buffers(g), .scratch = scratch
    };
    plan_parts(&job.plan, g, nbatch, nthreads);
    job.nitems = nbatch * job.plan.row_parts * job.plan.col_parts;
    job.nitems += job.plan.last * (PIECES - 1);
    if (nthreads > 1 && job.nitems > 1)
        tsl_pool_run(pool, (unsigned)size_min(nthreads, job.nitems), work, &job);
    else
        work(&job, 0);
}

void tsl_gemm_run(const struct tsl_gemm *g, struct tsl_pool *pool, void *scratch)
{
    tsl_gemm_run_batch(g, &(struct tsl_gemm_batch){ .outer = 1, .inner = 1 }, pool,
                       scratch);
}
