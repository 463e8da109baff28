/* kernel_args.h - what some kernels take besides arrays and sizes.
 * Order: none.
 * Memory: none.
 * Threads: plain values. */
#ifndef TSL_KERNEL_ARGS_H
#define TSL_KERNEL_ARGS_H

#include <stdint.h>

/* Which numbers a dropout site drops.  Number i (64 bits) is kept if its draw, 32 bits of
 * Philox4x32-7, is not below `below`: a pure function of key and i.  i = 64 g + 16 w + l takes
 * word w of counter 16 g + l, key[2], key[3] under key[0], key[1]: sixteen counters give the
 * draws of 64 numbers, without a shuffle.
 * Source: Salmon et al. 2011. */
struct tsl_dropout {
    uint32_t key[4];
    uint32_t below; /* p 2^32; 0: nothing is dropped */
    float scale;    /* of what is kept: 1 / (1 - p) */
};

/* 0 <= p < 1.  Any bits are a key. */
static inline struct tsl_dropout tsl_dropout_make(double p, uint64_t key,
                                                  uint64_t key_high)
{
    struct tsl_dropout d = { { (uint32_t)key, (uint32_t)(key >> 32), (uint32_t)key_high,
                               (uint32_t)(key_high >> 32) },
                             (uint32_t)(p * 0x1p32),
                             (float)(1 / (1 - p)) };
    return d;
}

/* g = grad * scale;  m = beta1 m + rest1 g;  v = beta2 v + rest2 g g;
 * x -= rate m / (sqrt(v correct2) + eps) + decay x. */
struct tsl_step_adamw {
    float scale, beta1, rest1, beta2, rest2, rate, correct2, eps, decay;
};

/* g = grad * scale;  c = beta1 m + rest1 g;  x -= rate sign(c) + decay x;
 * m = beta2 m + rest2 g. */
struct tsl_step_lion {
    float scale, beta1, rest1, beta2, rest2, rate, decay;
};

/* g = grad * scale;  m = momentum m + g;  x -= rate (own g + of_m m) + decay x.  Nesterov's: own
 * 1, of_m momentum; else 0 and 1. */
struct tsl_step_sgd {
    float scale, momentum, own, of_m, rate, decay;
};

/* kernels.h, adapt_apply. */
struct tsl_step_adapt {
    float clip, beta1, rest1, rate, decay;
};

#endif
