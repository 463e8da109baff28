/* gradcheck.h - are a graph's gradients those of its numbers?  For tests, and for whoever adds an
 * operation.
 *
 * The derivative of a scalar by each number of some tensors is taken from four runs with that
 * number moved: (8 (f(+h) - f(-h)) - (f(+2h) - f(-2h))) / 12 h, which is off by h^4 (Abramowitz
 * and Stegun 25.3.6).  With floats and h = 0.02 a thousandth of the largest gradient is found
 * where the function is smooth and its values are near 1.
 * Order: none.
 * Memory: a copy of the gradients.
 * Threads: one owner. */
#ifndef TSL_GRADCHECK_H
#define TSL_GRADCHECK_H

#include "tensor/graph.h"

struct tsl_gradcheck {
    double step;         /* h */
    bool differentiable; /* fused operations as the primitives they stand for */
    /* found: the largest difference, by the largest gradient of that tensor or floor where that
     * is larger; of which tensor and number; what both said */
    double floor;
    double worst, derived, measured;
    size_t tensor, number;
};

/* Derives the scalar y of a graph that is not planned yet by n variables (tsl_graph_variable) whose
 * numbers are there, plans and runs it many times with the same draw.  0 and the findings, or what
 * recording and planning say. */
int tsl_gradcheck_run(struct tsl_graph *g, struct tsl_tensor *y,
                      struct tsl_tensor *const *x, size_t n, struct tsl_pool *pool,
                      struct tsl_gradcheck *c, struct tsl_err *err);

#endif
