/* stretches.h - one row through an engine in stretches, each in memory that ends with it, so
 * that a sanitizer sees one byte too many: for tests and fuzz targets.  Header only.
 * Failures end the program. */
#ifndef TSL_STRETCHES_H
#define TSL_STRETCHES_H

#include <stdlib.h>
#include <string.h>

#include "support/gendata.h"
#include "text/engine.h"

/* Adds text's tokens to out, with spans from the row's begin.  most 0: the row at once; else
 * stretches of that many bytes, with g of up to that many, and longer where nothing of one
 * can be done. */
static inline void encode_stretches(const struct tsl_engine *e, void *coder,
                                    struct tsl_slice text, size_t most, struct gen *g,
                                    struct tsl_tokens *out)
{
    size_t at = 0, want = 0, used = 0;
    for (bool first = true, last = false; !last; first = first && used == 0) {
        if (want == 0)
            want = most == 0 ? text.len : g ? 1 + gen_below(g, most) : most;
        size_t n = want < text.len - at ? want : text.len - at, from = out->n;
        last = at + n == text.len;
        uint8_t *copy = malloc(n + !n);
        if (!copy)
            abort();
        if (n)
            memcpy(copy, text.data + at, n);
        if (e->encode(coder, (struct tsl_slice){ copy, n }, first, last, &used, out,
                      NULL) < 0 ||
            used > n || (last && used != n))
            abort();
        free(copy);
        for (size_t i = from; out->want & TSL_WANT_SPANS && i < out->n; i++) {
            if (out->begin[i] > out->end[i] || out->end[i] > n)
                abort();
            out->begin[i] += (uint32_t)at;
            out->end[i] += (uint32_t)at;
        }
        at += used;
        want = used ? 0 : 2 * want + 1;
    }
}

#endif
