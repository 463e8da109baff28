/* tensor.h - a value of a graph: type, shape, strides, and the storage it looks into.
 *
 * Several tensors may look into one storage (views): a transposition, a slice or a broadcast
 * moves no number.  Tensors are made by the graph's operations (ops.h) and live as long as
 * the graph.
 * Order: row-major where contiguous.
 * Memory: the graph's.
 * Threads: constants once recorded. */
#ifndef TSL_TENSOR_H
#define TSL_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/params.h"

enum tsl_num { TSL_F32, TSL_BF16, TSL_I32 };

struct tsl_node;

/* Bytes that one or more tensors look into. */
struct tsl_storage {
    void *data; /* NULL until the graph is planned, for what lies in the arena */
    size_t bytes;
    bool outside; /* a leaf's: the caller's memory, or a parameter's; never planned */
    bool kept;    /* not given to another tensor after its last use */
    uint32_t first, last;     /* nodes by number: written first, used last */
    struct tsl_storage *same; /* NULL, or the storage that this one was merged into */
};

struct tsl_tensor {
    enum tsl_num type;
    unsigned rank;
    int64_t dim[TSL_RANK_MAX];
    int64_t stride[TSL_RANK_MAX]; /* in numbers; 0 along a broadcast axis */
    int64_t offset;               /* in numbers, from the storage's first */
    struct tsl_storage *storage;
    struct tsl_node *by; /* what computes it; NULL for a leaf */
    const char *name;    /* of the leaf, or the scope it was recorded in; never NULL */
    uint32_t number;     /* in the graph */
    uint32_t nuses;      /* nodes that read it */
};

static inline size_t tsl_num_bytes(enum tsl_num type)
{
    return type == TSL_BF16 ? 2 : 4;
}
/* How many numbers it has. */
static inline size_t tsl_tensor_count(const struct tsl_tensor *t)
{
    size_t n = 1;
    for (unsigned i = 0; i < t->rank; i++)
        n *= (size_t)t->dim[i];
    return n;
}
/* Row-major without gaps. */
bool tsl_tensor_contiguous(const struct tsl_tensor *t);
bool tsl_tensor_same_shape(const struct tsl_tensor *a, const struct tsl_tensor *b);
/* Length of the last axis, and how many rows of that length there are: 1 and 1 for a
 * scalar. */
size_t tsl_tensor_cols(const struct tsl_tensor *t);
size_t tsl_tensor_rows(const struct tsl_tensor *t);

/* Its numbers, once the graph is planned. */
static inline void *tsl_tensor_data(const struct tsl_tensor *t)
{
    const struct tsl_storage *s = t->storage;
    while (s->same)
        s = s->same;
    return (char *)s->data + (size_t)t->offset * tsl_num_bytes(t->type);
}
static inline float *tsl_tensor_f32(const struct tsl_tensor *t)
{
    return tsl_tensor_data(t);
}
static inline int32_t *tsl_tensor_i32(const struct tsl_tensor *t)
{
    return tsl_tensor_data(t);
}

/* "f32 [32,128,256]"; text must hold TSL_TENSOR_TEXT bytes.  Returns text. */
enum { TSL_TENSOR_TEXT = 128 };
char *tsl_tensor_describe(const struct tsl_tensor *t, char *text);

#endif
