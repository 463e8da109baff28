/* atext.h - text on its way through the normalizers, each byte with the bytes of the
 * original text that it came from.
 *
 * The slow, obvious form that every component understands; the fast paths of single
 * tokenizers are compared with it.
 * Order: as in the text; what is moved keeps where it came from.
 * Memory: nine bytes and more for each byte of text; reset keeps it.
 * Threads: one owner. */
#ifndef TSL_ATEXT_H
#define TSL_ATEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct tsl_atext {
    uint8_t *bytes;        /* well-formed UTF-8 */
    uint32_t *begin, *end; /* byte i came from original bytes [begin[i], end[i]) */
    size_t len, cap;
    uint32_t origin; /* the original byte where it begins, as a part of a longer text */
};

void tsl_atext_init(struct tsl_atext *t);

/* Takes text; ill-formed parts become U+FFFD, each standing for its bytes. */
int tsl_atext_set(struct tsl_atext *t, struct tsl_slice text, struct tsl_err *err);

/* Adds bytes that all came from original bytes [begin, end). */
int tsl_atext_add(struct tsl_atext *t, const void *bytes, size_t n, uint32_t begin,
                  uint32_t end, struct tsl_err *err);

/* Adds one character. */
int tsl_atext_put(struct tsl_atext *t, uint32_t cp, uint32_t begin, uint32_t end,
                  struct tsl_err *err);

/* Adds bytes [begin, end) of from with their sources. */
int tsl_atext_copy(struct tsl_atext *t, const struct tsl_atext *from, size_t begin,
                   size_t end, struct tsl_err *err);

/* Text from being rewritten as to, character by character.  Which source each new one
 * gets is Hugging Face's rule (NormalizedString::transform), its oddities included. */
struct tsl_arewrite {
    const struct tsl_atext *from;
    struct tsl_atext *to;
    size_t at; /* bytes of from that are done */
};

/* Empties to; from and to must be two. */
void tsl_arewrite_begin(struct tsl_arewrite *r, const struct tsl_atext *from,
                        struct tsl_atext *to);

/* Leaves out n characters of from. */
void tsl_arewrite_skip(struct tsl_arewrite *r, size_t n);

/* Writes cp.  change 0: in place of the next character of from, whose source it gets.
 * -n: so, and n more characters of from are gone.  1: new; its source is that of the
 * byte before, or [origin, origin) at the very start. */
int tsl_arewrite_put(struct tsl_arewrite *r, uint32_t cp, int change,
                     struct tsl_err *err);

void tsl_atext_reset(struct tsl_atext *t);
void tsl_atext_fini(struct tsl_atext *t);

#endif
