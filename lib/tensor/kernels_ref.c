/* kernels_ref.c - the kernels, in plain C. */
#include "tensor/kernels_tables.h"
#define TSL_SIMD_PLAIN
#include "tensor/elementwise_body.h"
#include "tensor/gemm_body.h"
#include "tensor/simd.h"

const struct tsl_kernels tsl_kernels_ref = {
    .name = "ref",
    ELEMENTWISE_MEMBERS,
    GEMM_MEMBERS,
};
