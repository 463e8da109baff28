/* slowbytebpe.h - byte-level BPE as its definition reads: what bytebpe.c is compared with.
 *
 * Knows neither NFC nor a blank in front.  Failures end the program. */
#ifndef TSL_SLOWBYTEBPE_H
#define TSL_SLOWBYTEBPE_H

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "support/slowmodels.h"
#include "text/bytebpe.h"

struct slowbyte {
    uint32_t id;
    size_t begin, end;
};

/* The rank at which left and right become *id; -1: never. */
static inline int64_t slowbyte_rank(const struct tsl_bytebpe_opts *o,
                                    struct tsl_slice text, struct slowbyte left,
                                    struct slowbyte right, uint32_t *id)
{
    if (!o->merges) {
        struct tsl_slice both = { text.data + left.begin, right.end - left.begin };
        int64_t found = tsl_vocab_find(o->vocab, both);
        *id = (uint32_t)found;
        return found;
    }
    for (size_t i = o->nmerges; i-- > 0;)
        if (o->merges[i].left == left.id && o->merges[i].right == right.id) {
            *id = o->merges[i].merged;
            return (int64_t)i;
        }
    return -1;
}

/* The tokens of text[begin, end), one piece. */
static inline void slowbyte_piece(const struct tsl_bytebpe_opts *o, struct tsl_slice text,
                                  size_t begin, size_t end, struct tsl_tokens *out)
{
    struct tsl_slice piece = { text.data + begin, end - begin };
    int64_t whole = o->whole ? tsl_vocab_find(o->vocab, piece) : -1;
    if (whole >= 0) {
        slow_put(out, whole, begin, end, TSL_TOKEN_WORD_START);
        return;
    }
    struct slowbyte *s = calloc(piece.len + 1, sizeof *s);
    size_t n = 0;
    if (!s)
        abort();
    for (size_t i = begin; i < end; i++) {
        struct tsl_slice byte = { text.data + i, 1 };
        s[n++] = (struct slowbyte){ (uint32_t)tsl_vocab_find(o->vocab, byte), i, i + 1 };
    }
    for (;;) {
        int64_t best = -1;
        size_t at = 0;
        uint32_t id = 0, made;
        for (size_t i = 0; i + 1 < n; i++) {
            int64_t rank = slowbyte_rank(o, text, s[i], s[i + 1], &made);
            if (rank >= 0 && (best < 0 || rank < best)) {
                best = rank;
                at = i;
                id = made;
            }
        }
        if (best < 0)
            break;
        s[at] = (struct slowbyte){ id, s[at].begin, s[at + 1].end };
        memmove(s + at + 1, s + at + 2, (n - at - 2) * sizeof *s);
        n--;
    }
    for (size_t i = 0; i < n; i++)
        slow_put(out, s[i].id, s[i].begin, s[i].end, i ? 0 : TSL_TOKEN_WORD_START);
    free(s);
}

/* Text without special tokens in it. */
static inline void slowbyte_plain(const struct tsl_bytebpe_opts *o, struct tsl_slice text,
                                  size_t begin, size_t end, struct tsl_tokens *out)
{
    while (begin < end) {
        bool matched;
        size_t n = end - begin;
        if (o->pattern != TSL_SPLITPAT_UNKNOWN)
            n = tsl_splitpat_next(o->pattern, text.data + begin, n, &matched);
        slowbyte_piece(o, text, begin, begin + n, out);
        begin += n;
    }
}

/* Adds the tokens of row; what is ill-formed is as o->invalid says.  out has spans, each of
 * whole characters (a byte that belongs to none is one), and marks. */
static inline void slow_bytebpe(const struct tsl_bytebpe_opts *o, struct tsl_slice row,
                                struct tsl_tokens *out)
{
    uint8_t *bytes = malloc(3 * row.len + 4);
    /* of each byte of text, where its character begins and ends in row */
    uint32_t *from = calloc(3 * row.len + 4, sizeof *from),
             *to = calloc(3 * row.len + 4, sizeof *to);
    struct tsl_slice text = { bytes, 0 };
    size_t first = out->n;
    if (!bytes || !from || !to)
        abort();
    for (size_t i = 0; i < row.len;) {
        uint32_t cp;
        size_t n = tsl_utf8_decode(row.data + i, row.data + row.len, &cp);
        if (cp == TSL_UTF8_BAD && o->invalid == TSL_INVALID_REPLACE) {
            memcpy(bytes + text.len, "\xef\xbf\xbd", 3);
            text.len += 3;
        } else {
            n = cp == TSL_UTF8_BAD ? 1 : n;
            memcpy(bytes + text.len, row.data + i, n);
            text.len += n;
        }
        for (size_t k = text.len; k > 0 && to[k - 1] == 0; k--) {
            from[k - 1] = (uint32_t)i;
            to[k - 1] = (uint32_t)(i + n);
        }
        i += n;
    }
    size_t done = 0;
    for (size_t i = 0; i < text.len;) {
        const struct tsl_bytebpe_special *found = NULL;
        for (size_t k = 0; k < o->nspecials; k++) {
            const struct tsl_bytebpe_special *s = &o->specials[k];
            if (s->text.len <= text.len - i &&
                (!found || s->text.len > found->text.len) &&
                memcmp(s->text.data, bytes + i, s->text.len) == 0)
                found = s;
        }
        if (!found) {
            i++;
            continue;
        }
        slowbyte_plain(o, text, done, i, out);
        slow_put(out, found->id, i, i + found->text.len,
                 TSL_TOKEN_SPECIAL | TSL_TOKEN_WORD_START);
        i += found->text.len;
        done = i;
    }
    slowbyte_plain(o, text, done, text.len, out);
    for (size_t i = first; i < out->n; i++) {
        out->end[i] = to[out->end[i] - 1];
        out->begin[i] = from[out->begin[i]];
    }
    free(bytes);
    free(from);
    free(to);
}

#endif
