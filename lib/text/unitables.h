/* unitables.h - the arrays behind uniprop.h, and nobody else's business.
 *
 * Order: keys ascend.
 * Memory: 130 KiB of constants.
 * Threads: pure data. */
#ifndef TSL_UNITABLES_H
#define TSL_UNITABLES_H

#include <stdint.h>

/* The bits of cp: tsl_unitab_sets[tsl_unitab_block[tsl_unitab_index[cp >> 8]][cp & 255]] */
extern const uint32_t tsl_unitab_sets[];
extern const uint8_t tsl_unitab_index[0x1100];
extern const uint8_t tsl_unitab_block[][256];

/* The script of cp as a number, laid out alike; 0: none of its own. */
extern const uint8_t tsl_unitab_script_index[0x1100];
extern const uint8_t tsl_unitab_script_block[][256];

/* Code point key[i] becomes to[start[i]] up to to[start[i + 1]]; others stay. */
extern const unsigned tsl_unitab_lower_count;
extern const uint32_t tsl_unitab_lower_key[];
extern const uint16_t tsl_unitab_lower_start[];
extern const uint32_t tsl_unitab_lower_to[];

extern const unsigned tsl_unitab_strip_count; /* without Hangul syllables */
extern const uint32_t tsl_unitab_strip_key[];
extern const uint16_t tsl_unitab_strip_start[];
extern const uint32_t tsl_unitab_strip_to[];

#endif
