/* paramgroup.h - which parameters are treated how: patterns over their names.
 *
 * A pattern is a list of globs with commas between: * is any characters, dots too, ? one.
 * "*LayerNorm*,*.bias".  The whole name must match, case counts.
 * Order: the first pattern that matches counts.
 * Memory: none; patterns are lent.
 * Threads: pure. */
#ifndef TSL_PARAMGROUP_H
#define TSL_PARAMGROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/params.h"

struct tsl_paramgroup {
    const char *pattern;
    double lr;           /* multiplies the rate; 0 is 1 */
    double weight_decay; /* instead of the options' where has_decay */
    bool has_decay;
    bool no_adaptation; /* LAMB: with the ratio 1 */
    bool frozen;        /* left as it is, and not in the gradient's norm */
    bool lazy; /* a matrix' rows whose gradient is all zero keep their values; what the
                           method remembers of them changes all the same (kexue.fm 6869) */
};

bool tsl_paramgroup_match(const char *pattern, const char *name);

/* The first of the groups whose pattern has this parameter; NULL: none. */
const struct tsl_paramgroup *tsl_paramgroup_of(const struct tsl_paramgroup *groups,
                                               size_t n, const struct tsl_param *p);

#endif
