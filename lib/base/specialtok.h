/* specialtok.h - ids of special tokens by use: what a vocabulary has beside words.
 * Memory: fixed.  Threads: plain data. */
#ifndef TSL_SPECIALTOK_H
#define TSL_SPECIALTOK_H

#include <stdint.h>

struct tsl_special_tokens {
    int64_t pad, unk, cls, sep, mask, bos, eos; /* -1: there is none */
};

#endif
