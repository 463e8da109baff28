/* kernels_avx512.c - the kernels, for processors with AVX-512. */
#include "tensor/elementwise_body.h"
#include "tensor/kernels_tables.h"
#include "tensor/simd.h"

#ifdef __x86_64__
#include "tensor/gemm_body.h"

const struct tsl_kernels tsl_kernels_avx512 = {
    .name = "avx512",
    ELEMENTWISE_MEMBERS,
    GEMM_MEMBERS,
};
#endif
