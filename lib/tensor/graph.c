#include "tensor/graph.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "par/thread.h"
#include "tensor/graph_parts.h"

enum { BLOCK_BYTES = 64 << 10, ALIGN = 64 };

/* ---- memory and failure ---- */

int tsl_graph_create(struct tsl_graph **g, const struct tsl_graph_opts *o,
                     struct tsl_err *err)
{
    struct tsl_graph *made = tsl_mem_alloc(1, sizeof *made, "a graph", err);
    if (!made)
        return TSL_ENOMEM;
    made->opts = *o;
    made->scope = "";
    *g = made;
    return 0;
}

void tsl_graph_destroy(struct tsl_graph *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->nblocks; i++)
        tsl_mem_free(g->blocks[i]);
    if (g->arena)
        tsl_pages_unmap(g->arena, g->arena_bytes);
    if (g->scratch)
        tsl_pages_unmap(g->scratch, g->scratch_bytes);
    tsl_mem_free(g->blocks);
    tsl_mem_free(g->nodes);
    tsl_mem_free(g->tensors);
    tsl_mem_free(g->storages);
    tsl_mem_free(g->leaves);
    tsl_mem_free(g->live);
    tsl_mem_free(g);
}

const struct tsl_graph_opts *tsl_graph_options(const struct tsl_graph *g)
{
    return &g->opts;
}

static void fail(struct tsl_graph *g, const char *format, va_list args)
{
    char text[256];
    vsnprintf(text, sizeof text, format, args);
    if (!g->failed)
        g->failed = tsl_err_set(&g->failure, TSL_EUSAGE, "%s%s%s", g->scope,
                                *g->scope ? ": " : "", text);
}

struct tsl_tensor *tsl_op_fail(struct tsl_graph *g, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(g, format, args);
    va_end(args);
    return NULL;
}

void tsl_graph_refuse(struct tsl_graph *g, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(g, format, args);
    va_end(args);
}

bool tsl_op_failed(const struct tsl_graph *g)
{
    return g->failed;
}

/* Memory ran out: g->failure says so already. */
static void *no_memory(struct tsl_graph *g)
{
    g->failed = TSL_ENOMEM;
    return NULL;
}

void *tsl_op_memory(struct tsl_graph *g, size_t bytes)
{
    if (g->failed)
        return NULL;
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (bytes > g->block_left) {
        size_t take = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        if (tsl_mem_grow(&g->blocks, &g->blocks_cap, g->nblocks + 1, sizeof *g->blocks,
                         "a graph", &g->failure) < 0)
            return no_memory(g);
        char *block = tsl_mem_alloc(take + ALIGN, 1, "a graph", &g->failure);
        if (!block)
            return no_memory(g);
        g->blocks[g->nblocks++] = block;
        block += (ALIGN - (uintptr_t)block % ALIGN) % ALIGN;
        if (take == bytes && take > BLOCK_BYTES / 4)
            return block; /* the rest of the block before it stays in use */
        g->block = block;
        g->block_left = take;
    }
    void *p = g->block;
    g->block += bytes;
    g->block_left -= bytes;
    return p;
}

void tsl_graph_scope(struct tsl_graph *g, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char *copy = tsl_op_memory(g, strlen(text) + 1);
    if (copy)
        g->scope = strcpy(copy, text);
}

/* ---- tensors ---- */

struct tsl_storage *tsl_graph_storage(struct tsl_graph *g, size_t bytes)
{
    struct tsl_storage *s = tsl_op_memory(g, sizeof *s);
    if (!s)
        return NULL;
    if (tsl_mem_grow(&g->storages, &g->storages_cap, g->nstorages + 1,
                     sizeof *g->storages, "a graph", &g->failure) < 0)
        return no_memory(g);
    s->bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    g->storages[g->nstorages++] = s;
    return s;
}

struct tsl_tensor *tsl_graph_tensor(struct tsl_graph *g, enum tsl_num type, unsigned rank,
                                    const int64_t *dim, struct tsl_storage *s)
{
    struct tsl_tensor *t = tsl_op_memory(g, sizeof *t);
    if (!t || !s)
        return NULL;
    if (tsl_mem_grow(&g->tensors, &g->tensors_cap, g->ntensors + 1, sizeof *g->tensors,
                     "a graph", &g->failure) < 0)
        return no_memory(g);
    assert(rank <= TSL_RANK_MAX);
    *t =
        (struct tsl_tensor){ .type = type, .rank = rank, .storage = s, .name = g->scope };
    int64_t stride = 1;
    for (unsigned i = rank; i-- > 0;) {
        t->dim[i] = dim[i];
        t->stride[i] = stride;
        stride *= dim[i];
    }
    t->number = (uint32_t)g->ntensors;
    g->tensors[g->ntensors++] = t;
    return t;
}

/* Bytes of that many numbers; 0 (after failing) when a length is below 1 or all is too
 * much. */
static size_t bytes_of(struct tsl_graph *g, enum tsl_num type, unsigned rank,
                       const int64_t *dim)
{
    size_t n = tsl_num_bytes(type);
    for (unsigned i = 0; i < rank; i++)
        if (dim[i] < 1 || __builtin_mul_overflow(n, (size_t)dim[i], &n) || n >> 46) {
            tsl_op_fail(g, "an axis of length %" PRId64 ", or a tensor too large",
                        dim[i]);
            return 0;
        }
    return n;
}

struct tsl_tensor *tsl_graph_input(struct tsl_graph *g, const char *name,
                                   enum tsl_num type, unsigned rank, const int64_t *dim)
{
    if (g->failed || rank > TSL_RANK_MAX)
        return NULL;
    size_t bytes = bytes_of(g, type, rank, dim);
    struct tsl_storage *s = bytes ? tsl_graph_storage(g, bytes) : NULL;
    struct tsl_tensor *t = s ? tsl_graph_tensor(g, type, rank, dim, s) : NULL;
    char *copy = t ? tsl_op_memory(g, strlen(name) + 1) : NULL;
    if (!copy)
        return NULL;
    t->name = strcpy(copy, name);
    s->outside = true;
    s->data = tsl_op_memory(g, s->bytes);
    return s->data ? t : NULL;
}

struct tsl_tensor *tsl_graph_variable(struct tsl_graph *g, const char *name,
                                      unsigned rank, const int64_t *dim)
{
    return tsl_graph_input(g, name, TSL_F32, rank, dim);
}

struct tsl_tensor *tsl_graph_constant(struct tsl_graph *g, float value)
{
    struct tsl_tensor *t = tsl_graph_input(g, "constant", TSL_F32, 0, NULL);
    if (t)
        *tsl_tensor_f32(t) = value;
    return t;
}

/* The leaf of count parameters from first on, made when it is asked for first. */
static struct tsl_tensor *leaf_of(struct tsl_graph *g, struct tsl_param *first,
                                  unsigned count)
{
    for (size_t i = 0; i < g->nleaves; i++) {
        struct tsl_graph_leaf *l = &g->leaves[i];
        if (l->first == first && l->count == count)
            return l->tensor;
        if (l->first < first + count && first < l->first + l->count)
            return tsl_op_fail(g, "%s is used alone and together with others",
                               first->name);
    }
    int64_t dim[TSL_RANK_MAX];
    memcpy(dim, first->dim, sizeof dim);
    dim[0] *= count;
    struct tsl_storage *s = tsl_graph_storage(g, first->n * count * sizeof(float));
    struct tsl_tensor *t = s ? tsl_graph_tensor(g, TSL_F32, first->rank, dim, s) : NULL;
    if (!t)
        return NULL;
    if (tsl_mem_grow(&g->leaves, &g->leaves_cap, g->nleaves + 1, sizeof *g->leaves,
                     "a graph", &g->failure) < 0)
        return no_memory(g);
    s->outside = true;
    s->data = first->value;
    t->name = first->name;
    g->leaves[g->nleaves++] = (struct tsl_graph_leaf){ t, first, count };
    return t;
}

struct tsl_tensor *tsl_graph_param(struct tsl_graph *g, struct tsl_params *p,
                                   const char *name)
{
    if (g->failed)
        return NULL;
    struct tsl_param *item = tsl_params_find(p, name);
    if (!item)
        return tsl_op_fail(g, "there is no parameter %s", name);
    assert(item->value); /* tsl_params_alloc comes first */
    return leaf_of(g, item, 1);
}

struct tsl_tensor *tsl_graph_param_span(struct tsl_graph *g, struct tsl_params *p,
                                        const char *first, unsigned count)
{
    if (g->failed)
        return NULL;
    struct tsl_param *item = tsl_params_find(p, first);
    if (!item)
        return tsl_op_fail(g, "there is no parameter %s", first);
    assert(item->value && item->rank);
    if (item + count > p->item + p->n)
        return NULL;
    for (unsigned i = 1; i < count; i++)
        if (item[i].rank != item->rank || item[i].frozen != item->frozen ||
            memcmp(item[i].dim, item->dim, sizeof item->dim) != 0 ||
            item[i].value != item[i - 1].value + item->n)
            return NULL;
    return leaf_of(g, item, count);
}

bool tsl_graph_has_param(const struct tsl_graph *g, const struct tsl_param *p)
{
    for (size_t i = 0; i < g->nleaves; i++)
        if (p >= g->leaves[i].first && p < g->leaves[i].first + g->leaves[i].count)
            return true;
    return false;
}

void tsl_graph_keep(struct tsl_graph *g, struct tsl_tensor *t)
{
    (void)g;
    if (t)
        t->storage->kept = true;
}

/* ---- nodes ---- */

struct tsl_node *tsl_op_record(struct tsl_graph *g, const struct tsl_op *op, unsigned nin,
                               struct tsl_tensor *const *in, unsigned optional)
{
    assert(nin <= TSL_NODE_INPUTS && !g->arena);
    for (unsigned i = 0; i < nin; i++)
        if (!in[i] && !(optional >> i & 1))
            return NULL;
    struct tsl_node *n = tsl_op_memory(g, sizeof *n);
    if (!n)
        return NULL;
    if (tsl_mem_grow(&g->nodes, &g->nodes_cap, g->nnodes + 1, sizeof *g->nodes, "a graph",
                     &g->failure) < 0)
        return no_memory(g);
    n->op = op;
    n->nin = nin;
    n->scope = g->scope;
    for (unsigned i = 0; i < nin; i++) {
        n->in[i] = in[i];
        if (in[i])
            in[i]->nuses++;
    }
    n->number = (uint32_t)g->nnodes;
    g->nodes[g->nnodes++] = n;
    return n;
}

static struct tsl_tensor *add_output(struct tsl_node *n, struct tsl_tensor *t)
{
    if (!t)
        return NULL;
    assert(n->nout < TSL_NODE_OUTPUTS);
    t->by = n;
    return n->out[n->nout++] = t;
}

struct tsl_tensor *tsl_op_output(struct tsl_graph *g, struct tsl_node *n,
                                 enum tsl_num type, unsigned rank, const int64_t *dim)
{
    size_t bytes = n && !g->failed ? bytes_of(g, type, rank, dim) : 0;
    struct tsl_storage *s = bytes ? tsl_graph_storage(g, bytes) : NULL;
    return s ? add_output(n, tsl_graph_tensor(g, type, rank, dim, s)) : NULL;
}

struct tsl_tensor *tsl_op_output_like(struct tsl_graph *g, struct tsl_node *n,
                                      const struct tsl_tensor *like)
{
    return tsl_op_output(g, n, like->type, like->rank, like->dim);
}

struct tsl_tensor *tsl_op_view(struct tsl_graph *g, struct tsl_node *n,
                               struct tsl_tensor *x)
{
    if (!n)
        return NULL;
    struct tsl_tensor *t = tsl_graph_tensor(g, x->type, x->rank, x->dim, x->storage);
    if (!t)
        return NULL;
    memcpy(t->stride, x->stride, sizeof t->stride);
    t->offset = x->offset;
    return add_output(n, t);
}

uint64_t tsl_op_site(struct tsl_graph *g)
{
    return g->nsites++;
}

/* ---- running ---- */

struct split {
    void (*fn)(void *ctx, size_t from, size_t to);
    void *ctx;
    size_t n, block;
};

static void split_part(void *ctx, unsigned i)
{
    const struct split *s = ctx;
    size_t from = i * s->block, to = from + s->block;
    s->fn(s->ctx, from, to < s->n ? to : s->n);
}

void tsl_op_split(const struct tsl_run *r, size_t n, size_t block,
                  void (*fn)(void *ctx, size_t from, size_t to), void *ctx)
{
    if (n <= block) {
        if (n)
            fn(ctx, 0, n);
        return;
    }
    struct split s = { fn, ctx, n, block };
    tsl_pool_run(r->pool, (unsigned)((n + block - 1) / block), split_part, &s);
}

static void run_node(struct tsl_graph *g, struct tsl_node *n, const struct tsl_run *r)
{
    double begin = g->profile ? tsl_seconds() : 0;
    n->op->run(n, r);
    if (g->profile) {
        n->seconds += tsl_seconds() - begin;
        n->runs++;
    }
}

void tsl_graph_run(struct tsl_graph *g, struct tsl_pool *pool,
                   const struct tsl_draw *draw)
{
    assert(g->live);
    struct tsl_run r = { pool, tsl_kernels(), draw, g->scratch };
    for (size_t i = 0; i < g->nnodes; i++)
        if (g->live[i] && g->nodes[i]->op->run)
            run_node(g, g->nodes[i], &r);
}

static bool all_finite(const struct tsl_tensor *t)
{
    if (t->type != TSL_F32 || !tsl_tensor_contiguous(t))
        return true;
    const float *x = tsl_tensor_f32(t);
    for (size_t i = 0, n = tsl_tensor_count(t); i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

int tsl_graph_run_checked(struct tsl_graph *g, struct tsl_pool *pool,
                          const struct tsl_draw *draw, struct tsl_err *err)
{
    assert(g->live);
    struct tsl_run r = { pool, tsl_kernels(), draw, g->scratch };
    for (size_t i = 0; i < g->nleaves; i++)
        if (!all_finite(g->leaves[i].tensor))
            return tsl_err_set(err, TSL_EFORMAT, "the parameter %s is not finite",
                               g->leaves[i].first->name);
    for (size_t i = 0; i < g->nnodes; i++) {
        struct tsl_node *n = g->nodes[i];
        if (!g->live[i] || !n->op->run)
            continue;
        run_node(g, n, &r);
        for (unsigned o = 0; o < n->nout; o++)
            if (!all_finite(n->out[o])) {
                char text[TSL_TENSOR_TEXT];
                return tsl_err_set(err, TSL_EFORMAT, "%s%s%s, %s, is not finite",
                                   n->scope, *n->scope ? ": " : "", n->op->name,
                                   tsl_tensor_describe(n->out[o], text));
            }
    }
    return 0;
}

void tsl_graph_stats(const struct tsl_graph *g, struct tsl_graph_stats *s)
{
    *s = (struct tsl_graph_stats){ .arena_bytes = g->arena_bytes,
                                   .scratch_bytes = g->scratch_bytes };
    for (size_t i = 0; i < g->nnodes; i++) {
        const struct tsl_node *n = g->nodes[i];
        if (g->live && !g->live[i])
            continue;
        s->nnodes++;
        if (n->op->flops)
            s->flops += n->op->flops(n);
    }
}

void tsl_graph_profile(struct tsl_graph *g, bool on)
{
    g->profile = on;
}

int tsl_graph_profile_text(struct tsl_graph *g, char **text, struct tsl_err *err)
{
    enum { LINE = 96 };
    char *t = tsl_mem_alloc(g->nnodes + 1, LINE, "a profile", err);
    if (!t)
        return TSL_ENOMEM;
    char *at = t;
    for (size_t i = 0; i < g->nnodes; i++) {
        double seconds = 0, flops = 0;
        unsigned times = 0;
        for (size_t j = i; j < g->nnodes; j++) {
            struct tsl_node *n = g->nodes[j];
            if (n->op != g->nodes[i]->op || n->seconds == 0)
                continue;
            seconds += n->seconds;
            flops += n->op->flops ? n->op->flops(n) * n->runs : 0;
            n->seconds = 0;
            n->runs = 0;
            times++;
        }
        if (times)
            at += snprintf(at, LINE, "%-28.28s %4u nodes %9.3f ms %8.1f Gflop/s\n",
                           g->nodes[i]->op->name, times, seconds * 1e3,
                           flops / seconds * 1e-9);
    }
    *text = t;
    return 0;
}
