/* fakewords.h - a tokenizer that takes every character for a word, as BERT does Chinese: its
 * id is its code point.  Two exceptions: '#' goes on with the word before it, '?' is unknown;
 * blanks are nothing.  For words.h.  Header only. */
#ifndef TSL_FAKEWORDS_H
#define TSL_FAKEWORDS_H

#include "base/utf8.h"
#include "text/engine.h"
#include "text/words.h"

static inline int fakewords_encode(void *coder, struct tsl_slice text, bool first,
                                   bool last, size_t *used, struct tsl_tokens *out,
                                   struct tsl_err *err)
{
    const uint8_t *p = text.data, *end = p + text.len;
    int rc = 0;
    (void)coder;
    (void)first;
    (void)last;
    while (p < end && rc == 0) {
        uint32_t cp;
        p += tsl_utf8_decode(p, end, &cp);
        unsigned mark = cp == '#' ? 0 : TSL_TOKEN_WORD_START;
        if (cp == '?')
            mark |= TSL_TOKEN_UNKNOWN;
        if (cp != ' ')
            rc = tsl_tokens_add(out, cp, 0, 0, mark, err);
    }
    *used = text.len;
    return rc;
}

static const struct tsl_engine fakewords = { .name = "fake", .encode = fakewords_encode };

#endif
