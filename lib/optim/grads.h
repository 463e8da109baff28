/* grads.h - what is done to all gradients at once: adding them up, their norm, a limit to it.
 *
 * Adding up gradients.  A backward pass sets tsl_param.grad; of k small batches that are to be one
 * step, all but the last are kept and added to the next.  Where the loss is a mean over a varying
 * number of targets (masked tokens), the mean of the batches' means is not the mean over all
 * targets: so each batch divides by the targets of all of them (trainfeed.h), or gives the gradient
 * of its *sum*, with 1 / targets as tsl_optim_step's scale.
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

/* kept = grads, and grads += kept, of all parameters: kept has p->numbers.  pool NULL: alone. */
void tsl_grads_keep(const struct tsl_params *p, float *kept, struct tsl_pool *pool);
void tsl_grads_add(const struct tsl_params *p, const float *kept, struct tsl_pool *pool);

/* The sum of squares of x[n], n <= TSL_GRADS_BLOCK, in double: 16 sums side by side, then those.
 * Not finite exactly when a number is not. */
double tsl_grads_squares(const float *x, size_t n);

/* What gradients of that norm are multiplied with so that it is at most most: 1 if it is
 * already, or if most is 0. */
double tsl_grads_clip(double norm, double most);

#endif
