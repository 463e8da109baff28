/* kernels_ref.c - the kernels, in plain C. */
#include "tensor/kernels_tables.h"
#define TSL_SIMD_PLAIN
#include "tensor/adapt_body.h"
#include "tensor/attention_body.h"
#include "tensor/elementwise_body.h"
#include "tensor/gemm_body.h"
#include "tensor/rows_body.h"
#include "tensor/simd.h"
#include "tensor/step_body.h"

const struct tsl_kernels tsl_kernels_ref = {
    .name = "ref",
    ATTENTION_MEMBERS,
    ELEMENTWISE_MEMBERS,
    GEMM_MEMBERS,
    ROWS_MEMBERS,
    DROPOUT_MEMBERS,
    STEP_MEMBERS,
    ADAPT_MEMBERS,
};
