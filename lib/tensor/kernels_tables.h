/* kernels_tables.h - the tables that kernels.c chooses from; kernels.h has the rest.
 * Order: none.
 * Memory: none.
 * Threads: constants. */
#ifndef TSL_KERNELS_TABLES_H
#define TSL_KERNELS_TABLES_H

#include "tensor/kernels.h"

extern const struct tsl_kernels tsl_kernels_ref;
#ifdef __x86_64__
extern const struct tsl_kernels tsl_kernels_avx2, tsl_kernels_avx512;
#endif

#endif
