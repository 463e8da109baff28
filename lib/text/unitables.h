/* unitables.h - the arrays behind uniprop.h, and what splitregex.c adds to PCRE2's Unicode.
 *
 * Order: keys ascend.
 * Memory: 135 KiB of constants.
 * Threads: pure data. */
#ifndef TSL_UNITABLES_H
#define TSL_UNITABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bits of cp: tsl_unitab_sets[tsl_unitab_block[tsl_unitab_index[cp >> 8]][cp & 255]] */
extern const uint32_t tsl_unitab_sets[];
extern const uint8_t tsl_unitab_index[0x1100];
extern const uint8_t tsl_unitab_block[][256];

/* The script of cp as a number, laid out alike; 0: none of its own. */
extern const uint8_t tsl_unitab_script_index[0x1100];
extern const uint8_t tsl_unitab_script_block[][256];

/* Code points that Unicode 14 does not have; the last has no category. */
struct tsl_unitab_range {
    uint32_t first, last;
    const char *category, *script; /* "Lo", "KIRATRAI" */
    bool emoji;
};
extern const struct tsl_unitab_range tsl_unitab_newer[];

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
