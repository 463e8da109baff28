/* normform.h - Unicode's normalization forms and grapheme clusters.  The only includer of
 * utf8proc.h.
 *
 * The forms are Hugging Face's: Unicode 12, whatever the library knows.  What a code
 * point falls into never changes once it is assigned, so it is enough to know which ones
 * the peer has (TSL_UNI_FALLS, TSL_UNI_CLASS).
 * Order: as in the text.
 * Memory: a row's longest run of combining marks, for the time of a call.
 * Threads: pure. */
#ifndef TSL_NORMFORM_H
#define TSL_NORMFORM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "text/atext.h"

enum tsl_normform { TSL_NFC, TSL_NFD, TSL_NFKC, TSL_NFKD };

/* Sets to (another one than from) to from in this form.  Each character keeps the source
 * that Hugging Face's NormalizedString gives it, odd as that is where marks change places
 * or are composed across others. */
int tsl_normform_apply(enum tsl_normform form, const struct tsl_atext *from,
                       struct tsl_atext *to, struct tsl_err *err);

enum { TSL_NORMFORM_CHAR_MAX = 32 /* code points of one; Unicode's longest has 18 */ };

/* What cp alone falls into by NFKD of Unicode 13 (SentencePiece's), into out; how many, 0 if it
 * stays itself. */
size_t tsl_normform_fall(uint32_t cp, uint32_t out[TSL_NORMFORM_CHAR_MAX]);
/* Composes what that gave, which is NFKC then; how many are left. */
size_t tsl_normform_compose(uint32_t *cp, size_t n);

/* Bytes of the extended grapheme cluster (UAX 29) at well-formed text p[0, len), len > 0,
 * p being where one begins. */
size_t tsl_normform_grapheme(const uint8_t *p, size_t len);

#endif
