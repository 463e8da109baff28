/* randtext.h - random choices with a fixed seed, texts of few characters, and encodings to
 * compare, for tests of the models. */
#ifndef TSL_RANDTEXT_H
#define TSL_RANDTEXT_H

#include "support/test.h"

#include <stdio.h>
#include <string.h>

#include "base/key.h"
#include "base/slice.h"
#include "text/tokens.h"

struct rnd {
    struct tsl_key key;
    uint64_t at;
};

static inline struct rnd rnd_make(uint64_t seed, const char *purpose)
{
    return (struct rnd){ tsl_key_make(seed, purpose), 0 };
}

/* In [0, n). */
static inline size_t rnd_below(struct rnd *r, size_t n)
{
    return (size_t)tsl_key_below(&r->key, r->at++, n);
}

/* true once in n times. */
static inline bool rnd_once(struct rnd *r, size_t n)
{
    return rnd_below(r, n) == 0;
}

static inline struct tsl_slice str(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

/* Characters of all lengths in UTF-8, the plain ones first. */
static const char *const rnd_chars[] = {
    "a", "b", "c", "d", "é", "\xe4\xb8\xad", "\xe6\x96\x87", "\xf0\x9f\x98\x80", "#", "x"
};
enum { RND_CHARS = sizeof rnd_chars / sizeof *rnd_chars, RND_CHAR_BYTES = 4 };

/* Up to nchars characters, of the first alphabet ones; buf has room for 4 bytes each and
 * a NUL. */
static inline struct tsl_slice rnd_text(struct rnd *r, char *buf, size_t nchars,
                                        size_t alphabet)
{
    size_t n = rnd_below(r, nchars + 1);
    buf[0] = '\0';
    for (char *end = buf; n > 0; n--, end += strlen(end))
        strcpy(end, rnd_chars[rnd_below(r, alphabet)]);
    return str(buf);
}

static inline bool tokens_equal(const struct tsl_tokens *a, const struct tsl_tokens *b)
{
    return a->n == b->n &&
           (a->n == 0 || (memcmp(a->ids, b->ids, a->n * sizeof *a->ids) == 0 &&
                          memcmp(a->begin, b->begin, a->n * sizeof *a->begin) == 0 &&
                          memcmp(a->end, b->end, a->n * sizeof *a->end) == 0 &&
                          memcmp(a->marks, b->marks, a->n) == 0));
}

/* t is what want says: "id:begin-end" for each token, "?" behind it for an unknown one,
 * blanks between. */
static inline void assert_tokens(const struct tsl_tokens *t, const char *want)
{
    char got[1000] = "", *end = got;
    for (size_t i = 0; i < t->n; i++)
        end += snprintf(end, (size_t)(got + sizeof got - end), "%s%u:%u-%u%s",
                        i ? " " : "", t->ids[i], t->begin[i], t->end[i],
                        t->marks[i] & TSL_TOKEN_UNKNOWN ? "?" : "");
    assert_string_equal(got, want);
}

#endif
