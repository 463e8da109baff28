/* graph_parts.h - the graph's own members, for graph.c, derive.c and plan.c alone.
 * Order: none.
 * Memory: the graph's.
 * Threads: as graph.h. */
#ifndef TSL_GRAPH_PARTS_H
#define TSL_GRAPH_PARTS_H

#include "tensor/op.h"

/* A parameter, or several that lie together, as a leaf. */
struct tsl_graph_leaf {
    struct tsl_tensor *tensor;
    struct tsl_param *first;
    unsigned count;
};

struct tsl_graph {
    struct tsl_graph_opts opts;
    struct tsl_node **nodes;
    struct tsl_tensor **tensors;
    struct tsl_storage **storages;
    struct tsl_graph_leaf *leaves;
    size_t nnodes, nodes_cap, ntensors, tensors_cap, nstorages, storages_cap, nleaves,
        leaves_cap;
    struct tsl_tensor *one; /* the constant that derivatives start from */
    const char *scope;
    uint64_t nsites;
    struct tsl_err failure; /* the first, of recording */
    int failed;             /* its code, or 0 */

    void **blocks; /* all memory but the arena */
    size_t nblocks, blocks_cap;
    char *block;
    size_t block_left;

    bool *live; /* [nnodes], once planned */
    void *arena, *scratch;
    size_t arena_bytes, scratch_bytes;
    bool profile;
};

/* A storage of the graph's, without memory; NULL on failure. */
struct tsl_storage *tsl_graph_storage(struct tsl_graph *g, size_t bytes);
struct tsl_tensor *tsl_graph_tensor(struct tsl_graph *g, enum tsl_num type, unsigned rank,
                                    const int64_t *dim, struct tsl_storage *s);
/* The storage that s was merged into at last. */
static inline struct tsl_storage *tsl_graph_root(struct tsl_storage *s)
{
    while (s->same)
        s = s->same;
    return s;
}

#endif
