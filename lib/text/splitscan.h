/* splitscan.h - the fast form of the split patterns in splitpat.h: 64 bytes of ASCII at a
 * time by bit masks, other text by one look-up a character.
 *
 * Order: left to right; the pieces are those of tsl_splitpat_next.
 * Memory: 256 KiB of classes for each splitscan.
 * Threads: read-only once made.
 *
 * A text may come in stretches.  Then a piece is given only when nothing that can follow
 * would change it: where finding its end has looked at the end of what is there, it
 * stays. */
#ifndef TSL_SPLITSCAN_H
#define TSL_SPLITSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "text/splitpat.h"

/* The low bits of tsl_splitscan.bmp; the other 24 are for the owner. */
enum tsl_splitscan_class {
    TSL_SPLITSCAN_L = 1, /* letter */
    TSL_SPLITSCAN_N = 2, /* number */
    TSL_SPLITSCAN_S = 4, /* white space */
    TSL_SPLITSCAN_X = 8, /* anything else */
    TSL_SPLITSCAN_UPPER = 16,
    TSL_SPLITSCAN_LOWER = 32,
    TSL_SPLITSCAN_NL = 64,  /* CR and LF */
    TSL_SPLITSCAN_ODD = 128 /* not to be scanned as it is: see below */
};

enum { TSL_SPLITSCAN_MORE = 0, TSL_SPLITSCAN_MET_ODD = -1, TSL_SPLITSCAN_WINDOW = 64 };

struct tsl_splitscan {
    enum tsl_splitpat pattern;
    bool keep_bad; /* ill-formed bytes are "anything else", not odd */
    uint32_t *bmp; /* classes of U+0000 to U+FFFF */
    bool (*odd)(uint32_t cp);
    bool has_masks; /* whether tsl_splitscan_ascii can do this pattern at all */
    size_t (*ascii)(const struct tsl_splitscan *s, const uint8_t *p, size_t len,
                    bool last, uint32_t base, uint32_t *starts, size_t cap,
                    size_t *nstarts);
};

/* Whether this pattern has a fast form.  TSL_SPLITPAT_UNKNOWN stands for no pattern: a
 * text is one piece. */
bool tsl_splitscan_knows(enum tsl_splitpat pattern);

enum tsl_splitscan_isa {
    TSL_SPLITSCAN_BEST, /* what this machine has */
    TSL_SPLITSCAN_PLAIN,
    TSL_SPLITSCAN_AVX2,
    TSL_SPLITSCAN_AVX512
};

/* odd: marks characters that the scan is to stop at, because the text around them has to
 * be normalised first; NULL: none.  Ill-formed UTF-8 is odd, too, unless keep_bad.  Asked
 * for an instruction set that the machine lacks, TSL_EUSAGE. */
int tsl_splitscan_init(struct tsl_splitscan *s, enum tsl_splitpat pattern, bool keep_bad,
                       bool (*odd)(uint32_t cp), enum tsl_splitscan_isa isa,
                       struct tsl_err *err);
void tsl_splitscan_fini(struct tsl_splitscan *s);

/* The end of the piece that begins at text.data[at], at < text.len.  last: text ends
 * here.  TSL_SPLITSCAN_MORE: it depends on what follows; never with last.
 * TSL_SPLITSCAN_MET_ODD: an odd character is in the piece, or right behind it. */
int64_t tsl_splitscan_next(const struct tsl_splitscan *s, struct tsl_slice text,
                           size_t at, bool last);

/* Writes the ends of pieces from at on to ends, as long as they are certain and all ASCII
 * and there is room for TSL_SPLITSCAN_WINDOW more, and returns how many.  0 says that
 * tsl_splitscan_next is to find the next one. */
static inline size_t tsl_splitscan_ascii(const struct tsl_splitscan *s,
                                         struct tsl_slice text, size_t at, bool last,
                                         uint32_t *ends, size_t cap)
{
    size_t n = 0;
    if (s->has_masks)
        (void)s->ascii(s, text.data + at, text.len - at, last, (uint32_t)at, ends, cap,
                       &n);
    return n;
}

/* The classes of the character at p < end, its bytes in *n. */
uint32_t tsl_splitscan_class(const struct tsl_splitscan *s, const uint8_t *p,
                             const uint8_t *end, size_t *n);

#endif
