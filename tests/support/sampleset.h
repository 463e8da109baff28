/* sampleset.h - sampledata.h's sets of samples for those who include tensors: names of number types
 * are the same in both rooms. */
#ifndef TSL_SAMPLESET_H
#define TSL_SAMPLESET_H

#include <stdint.h>

enum { SAMPLESET_VOCAB = 200, SAMPLESET_CLS = 2, SAMPLESET_SEP, SAMPLESET_MASK };

/* n samples of 8 to 24 tokens, as path, which must end in .tslrec: [CLS] a [SEP] b [SEP] with
 * labels, masked when they are read. */
void sampleset_write(const char *path, uint64_t n, uint64_t seed);

#endif
