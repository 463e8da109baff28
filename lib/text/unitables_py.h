/* unitables_py.h - the arrays that tell what Python 3.11 (Unicode 14.0) says of a code
 * point, for bertnorm.c: Google's tokenization.py and bert4keras ask Python.  NFD and the
 * combining classes serve the rules of Hugging Face, too, less what its older tables lack.
 *
 * Order: keys ascend.
 * Memory: 80 KiB of constants.
 * Threads: pure data. */
#ifndef TSL_UNITABLES_PY_H
#define TSL_UNITABLES_PY_H

#include <stdint.h>

enum tsl_unipy {
    TSL_UNIPY_SPACE = 1 << 0,       /* Zs, TAB, LF, CR */
    TSL_UNIPY_CONTROL = 1 << 1,     /* Cc and Cf, without these */
    TSL_UNIPY_PUNCT = 1 << 2,       /* P* */
    TSL_UNIPY_MARK = 1 << 3,        /* Mn */
    TSL_UNIPY_SPLIT = 1 << 4,       /* str.split() splits at it */
    TSL_UNIPY_CASED = 1 << 5,       /* cased, and not case-ignorable: for U+03A3 */
    TSL_UNIPY_IGNORABLE = 1 << 6,   /* case-ignorable */
    TSL_UNIPY_HF_UNORDERED = 1 << 7 /* has a class here, but none for HF's NFD */
};

/* tsl_pytab_bits_block[tsl_pytab_bits_index[cp >> 8]][cp & 255], and so for the class */
extern const uint8_t tsl_pytab_bits_index[0x1100];
extern const uint8_t tsl_pytab_bits_block[][256];
extern const uint8_t tsl_pytab_class_index[0x1100];
extern const uint8_t tsl_pytab_class_block[][256];

/* Code point key[i] becomes to[start[i]] up to to[start[i + 1]]; others stay. */
extern const unsigned tsl_pytab_lower_count;
extern const uint32_t tsl_pytab_lower_key[];
extern const uint16_t tsl_pytab_lower_start[];
extern const uint32_t tsl_pytab_lower_to[];

extern const unsigned tsl_pytab_nfd_count; /* without Hangul syllables */
extern const uint32_t tsl_pytab_nfd_key[];
extern const uint16_t tsl_pytab_nfd_start[];
extern const uint32_t tsl_pytab_nfd_to[];

#endif
