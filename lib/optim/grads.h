/* grads.h - what is done to all gradients at once: zero, a factor, a limit to their norm.
 *
 * Adding up gradients.  The backward pass adds into tsl_param.grad, so k small batches between
 * two zeros give the gradient of their sum.  Where the loss is a mean over a varying number of
 * targets (masked tokens), the mean of the batches' means is not the mean over all targets:
 * let each batch give the gradient of its *sum* of losses, add up the targets too, and give
 * 1 / targets to tsl_optim_step as its scale (or to tsl_grads_scale).
 *
 * Order: number by number; tsl_grads_squares adds in one fixed order.
 * Memory: none.
 * Threads: one caller; the pool's threads help. */
#ifndef TSL_GRADS_H
#define TSL_GRADS_H

#include "par/pool.h"
#include "tensor/params.h"

/* Small enough for the second-level cache with all that an optimizer keeps of a number. */
enum { TSL_GRADS_BLOCK = 1 << 15 };

/* grad = 0 and grad *= by, for all that are not frozen.  pool NULL: alone. */
void tsl_grads_zero(const struct tsl_params *p, struct tsl_pool *pool);
void tsl_grads_scale(const struct tsl_params *p, float by, struct tsl_pool *pool);

/* The sum of squares of x[n], n <= TSL_GRADS_BLOCK, in double: 16 sums side by side, then those.
 * Not finite exactly when a number is not. */
double tsl_grads_squares(const float *x, size_t n);

/* What gradients of that norm are multiplied with so that it is at most most: 1 if it is
 * already, or if most is 0. */
double tsl_grads_clip(double norm, double most);

#endif
