/* unary.h - the functions of one number that kernels, operations and models know.
 * Order: part of the kernel tables' layout.
 * Memory: none.
 * Threads: constants. */
#ifndef TSL_UNARY_H
#define TSL_UNARY_H

enum tsl_unary {
    TSL_IDENTITY, /* nothing: what is not said is this */
    TSL_NEG,
    TSL_EXP,
    TSL_LOG,
    TSL_SQRT,
    TSL_RECIP,
    TSL_TANH,
    TSL_ERF,
    TSL_SIGMOID,
    TSL_SOFTPLUS,
    TSL_RELU,
    TSL_ABS,
    TSL_SIN,
    TSL_COS,
    TSL_STEP, /* x > 0 ? 1 : 0 */
    TSL_SIGN,
    /* fused: one pass forward, one backward */
    TSL_GELU_ERF,     /* x Phi(x): Hendrycks and Gimpel 2016 */
    TSL_GELU_TANH,    /* its tanh form, as in Google's BERT and GPT-2 */
    TSL_GELU_SIGMOID, /* x sigmoid(1.702 x) */
    TSL_SWISH,        /* x sigmoid(x) */
    TSL_SQUAREPLUS,   /* (x + sqrt(x^2 + 4)) / 2: Barron 2021 */
    TSL_LEAKY_RELU,   /* slope 0.2 below 0 */
    TSL_UNARIES
};

#endif
