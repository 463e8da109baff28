/* kernels_avx2.c - the kernels, for processors with AVX2. */
#include "tensor/kernels_tables.h"

#ifdef __x86_64__ /* elsewhere the bodies would be functions that nobody calls */
#include "tensor/adapt_body.h"
#include "tensor/attention_body.h"
#include "tensor/elementwise_body.h"
#include "tensor/gemm_body.h"
#include "tensor/rows_body.h"
#include "tensor/simd.h"
#include "tensor/step_body.h"

const struct tsl_kernels tsl_kernels_avx2 = {
    .name = "avx2",
    ATTENTION_MEMBERS,
    ELEMENTWISE_MEMBERS,
    GEMM_MEMBERS,
    ROWS_MEMBERS,
    DROPOUT_MEMBERS,
    STEP_MEMBERS,
    ADAPT_MEMBERS,
};
#endif
