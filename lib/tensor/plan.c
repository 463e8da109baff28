#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/graph_parts.h"

/* A node is live if anybody reads what it writes, or somebody outside does. */
static int find_live(struct tsl_graph *g, struct tsl_err *err)
{
    g->live = tsl_mem_alloc(g->nnodes + 1, sizeof *g->live, "a graph's plan", err);
    if (!g->live)
        return TSL_ENOMEM;
    for (size_t i = 0; i < g->nstorages; i++) /* last != 0: somebody reads it */
        g->storages[i]->last = g->storages[i]->kept || g->storages[i]->outside;
    for (size_t i = g->nnodes; i-- > 0;) {
        const struct tsl_node *n = g->nodes[i];
        for (unsigned k = 0; k < n->nout; k++)
            g->live[i] |= n->out[k]->storage->last != 0;
        for (unsigned k = 0; k < n->nin && g->live[i]; k++)
            if (n->in[k])
                n->in[k]->storage->last = 1;
    }
    return 0;
}

static void find_lifetimes(struct tsl_graph *g)
{
    for (size_t i = 0; i < g->nstorages; i++) {
        g->storages[i]->first = UINT32_MAX;
        g->storages[i]->last = 0;
    }
    for (uint32_t i = 0; i < g->nnodes; i++) {
        const struct tsl_node *n = g->nodes[i];
        if (!g->live[i])
            continue;
        for (unsigned k = 0; k < n->nout; k++) {
            struct tsl_storage *s = n->out[k]->storage;
            s->first = s->first < i ? s->first : i;
            s->last = i;
        }
        for (unsigned k = 0; k < n->nin; k++)
            if (n->in[k])
                n->in[k]->storage->last = i;
    }
    for (size_t i = 0; i < g->nstorages; i++)
        if (g->storages[i]->kept)
            g->storages[i]->last = UINT32_MAX;
}

/* Output 0 takes the place of input 0 where the operation allows it and nobody looks at the
 * input again. */
static void merge_in_place(struct tsl_graph *g)
{
    for (uint32_t i = 0; i < g->nnodes; i++) {
        const struct tsl_node *n = g->nodes[i];
        if (!g->live[i] || !n->op->in_place || n->adds || !n->in[0])
            continue;
        const struct tsl_tensor *in = n->in[0], *out = n->out[0];
        struct tsl_storage *from = tsl_graph_root(in->storage);
        struct tsl_storage *to = out->storage;
        bool alone = true;
        for (unsigned k = 1; k < n->nin; k++)
            alone &= !n->in[k] || tsl_graph_root(n->in[k]->storage) != from;
        if (!alone || to->same || to == from || from->outside || to->outside ||
            from->last != i || from->bytes != to->bytes || to->first != i || in->offset ||
            !tsl_tensor_contiguous(in) || !tsl_tensor_same_shape(in, out))
            continue;
        from->last = to->last;
        from->kept |= to->kept;
        to->same = from;
    }
}

static int by_size(const void *a, const void *b)
{
    const struct tsl_storage *x = *(struct tsl_storage *const *)a,
                             *y = *(struct tsl_storage *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* Where s can lie so that it meets none of the n that were placed: the lowest such place.
 * placed: in order of their places. */
static size_t place_for(const struct tsl_storage *s, struct tsl_storage *const *placed,
                        size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const struct tsl_storage *p = placed[i];
        if (p->last < s->first || s->last < p->first)
            continue;
        size_t from = (size_t)(uintptr_t)p->data;
        if (from >= at + s->bytes)
            break;
        if (at < from + p->bytes)
            at = from + p->bytes;
    }
    return at;
}

/* The largest first, each as low as it can lie: within a few percent of the largest sum alive
 * for the graphs of transformers.  Until the arena is there, data holds offsets. */
static int lay_out(struct tsl_graph *g, struct tsl_err *err)
{
    struct tsl_storage **all =
        tsl_mem_alloc(2 * g->nstorages + 1, sizeof(*all), "a graph's plan", err);
    if (!all)
        return TSL_ENOMEM;
    struct tsl_storage **placed = all + g->nstorages;
    size_t n = 0, nplaced = 0;
    for (size_t i = 0; i < g->nstorages; i++) {
        struct tsl_storage *s = g->storages[i];
        if (!s->same && !s->outside && s->first != UINT32_MAX)
            all[n++] = s;
    }
    qsort(all, n, sizeof *all, by_size);
    for (size_t i = 0; i < n; i++) {
        size_t at = place_for(all[i], placed, nplaced), k = nplaced++;
        all[i]->data = (void *)(uintptr_t)at;
        for (; k > 0 && (uintptr_t)placed[k - 1]->data > at; k--)
            placed[k] = placed[k - 1];
        placed[k] = all[i];
        if (g->arena_bytes < at + all[i]->bytes)
            g->arena_bytes = at + all[i]->bytes;
    }
    if (g->arena_bytes) {
        g->arena = tsl_pages_map(g->arena_bytes, "the values of a step", err);
        if (g->arena)
            tsl_pages_want_huge(g->arena, g->arena_bytes);
    }
    for (size_t i = 0; i < n; i++)
        all[i]->data = (char *)g->arena + (uintptr_t)all[i]->data;
    tsl_mem_free(all);
    return g->arena_bytes && !g->arena ? TSL_ENOMEM : 0;
}

int tsl_graph_plan(struct tsl_graph *g, unsigned nthreads, struct tsl_err *err)
{
    assert(!g->live);
    if (g->failed)
        return tsl_err_set(err, g->failed, "%s", g->failure.msg);
    int rc = find_live(g, err);
    if (rc < 0)
        return rc;
    find_lifetimes(g);
    merge_in_place(g);
    rc = lay_out(g, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < g->nnodes; i++) {
        const struct tsl_node *n = g->nodes[i];
        if (!g->live[i] || !n->op->scratch)
            continue;
        size_t bytes = n->op->scratch(n, nthreads);
        if (g->scratch_bytes < bytes)
            g->scratch_bytes = bytes;
    }
    if (g->scratch_bytes) {
        g->scratch = tsl_pages_map(g->scratch_bytes, "scratch of a step", err);
        if (!g->scratch)
            return TSL_ENOMEM;
        tsl_pages_want_huge(g->scratch, g->scratch_bytes);
    }
    return 0;
}
