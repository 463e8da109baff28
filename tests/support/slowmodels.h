/* slowmodels.h - the models as their definitions read, one step after the other: what the
 * library's own encoders are compared with.
 *
 * Pieces are well-formed UTF-8.  Allocation failures end the program. */
#ifndef TSL_SLOWMODELS_H
#define TSL_SLOWMODELS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "text/bpe.h"
#include "text/tokens.h"
#include "text/vocab.h"

static inline void slow_put(struct tsl_tokens *out, int64_t id, size_t begin, size_t end,
                            unsigned marks)
{
    if (tsl_tokens_add(out, (uint32_t)id, (uint32_t)begin, (uint32_t)end, marks, NULL) <
        0)
        abort();
}

/* Joins three strings of bytes and looks them up. */
static inline int64_t slow_find(const struct tsl_vocab *v, struct tsl_slice a,
                                struct tsl_slice b, struct tsl_slice c)
{
    uint8_t *key = calloc(a.len + b.len + c.len + 1, 1);
    if (!key)
        abort();
    if (a.len)
        memcpy(key, a.data, a.len);
    if (b.len)
        memcpy(key + a.len, b.data, b.len);
    if (c.len)
        memcpy(key + a.len + b.len, c.data, c.len);
    int64_t id = tsl_vocab_find(v, (struct tsl_slice){ key, a.len + b.len + c.len });
    free(key);
    return id;
}

static inline int64_t slow_byte(const struct tsl_vocab *v, uint8_t byte)
{
    char name[8];
    snprintf(name, sizeof name, "<0x%02X>", byte);
    return tsl_vocab_find(v, (struct tsl_slice){ (const uint8_t *)name, 6 });
}

/* All substrings, the longest first.  The vocabulary has the token unk. */
static inline void slow_wordpiece(const struct tsl_vocab *v, struct tsl_slice unk,
                                  struct tsl_slice prefix, size_t chars_max,
                                  struct tsl_slice word, struct tsl_tokens *out)
{
    const struct tsl_slice none = { NULL, 0 };
    size_t begin = 0, nchars = 0, kept = out->n;
    for (size_t i = 0; i < word.len; i++)
        nchars += (word.data[i] & 0xc0) != 0x80;
    while (nchars <= chars_max && begin < word.len) {
        size_t end = word.len;
        int64_t id;
        for (;; end--) {
            struct tsl_slice part = { word.data + begin, end - begin };
            id = slow_find(v, begin ? prefix : none, part, none);
            if (id >= 0 || end == begin + 1)
                break;
        }
        if (id < 0)
            break;
        slow_put(out, id, begin, end, 0);
        begin = end;
    }
    if (begin == word.len)
        return;
    out->n = kept;
    slow_put(out, tsl_vocab_find(v, unk), 0, word.len, TSL_TOKEN_UNKNOWN);
}

/* Looks at all pairs for the one of the lowest rank, the leftmost of equal ones; merges it;
 * again.  out has spans and marks; the vocabulary has the token unk if o has one. */
static inline void slow_bpe(const struct tsl_vocab *v,
                            const struct tsl_tokfile_merge *merges, size_t n,
                            const struct tsl_bpe_opts *o, struct tsl_slice piece,
                            struct tsl_tokens *out)
{
    const struct tsl_slice none = { NULL, 0 };
    size_t first = out->n, unk_begin = 0, unk_end = 0;
    int64_t unk = o->unk.data ? tsl_vocab_find(v, o->unk) : TSL_VOCAB_NONE;
    int64_t whole = o->ignore_merges ? tsl_vocab_find(v, piece) : TSL_VOCAB_NONE;
    if (whole >= 0 && piece.len) {
        slow_put(out, whole, 0, piece.len, 0);
        return;
    }
    for (size_t begin = 0, end; begin < piece.len; begin = end) {
        uint32_t cp;
        end = begin + tsl_utf8_decode(piece.data + begin, piece.data + piece.len, &cp);
        struct tsl_slice parts[] = { begin > 0 ? o->prefix : none,
                                     { piece.data + begin, end - begin },
                                     end == piece.len ? o->suffix : none };
        int64_t id = slow_find(v, parts[0], parts[1], parts[2]);
        if (id < 0 && o->byte_fallback) {
            bool all = true;
            for (unsigned p = 0; p < 3; p++)
                for (size_t i = 0; i < parts[p].len; i++)
                    all &= slow_byte(v, parts[p].data[i]) >= 0;
            for (unsigned p = 0; all && p < 3; p++)
                for (size_t i = 0; i < parts[p].len; i++)
                    slow_put(out, slow_byte(v, parts[p].data[i]),
                             p == 0   ? begin
                             : p == 1 ? begin + i
                                      : end,
                             p == 0   ? begin
                             : p == 1 ? begin + i + 1
                                      : end,
                             0);
            if (all)
                continue; /* before the unknown ones that wait */
        }
        if (id < 0 && unk < 0)
            continue;
        if (unk_end > unk_begin && (id >= 0 || !o->fuse_unk)) {
            slow_put(out, unk, unk_begin, unk_end, TSL_TOKEN_UNKNOWN);
            unk_end = unk_begin;
        }
        if (id >= 0) {
            slow_put(out, id, begin, end, 0);
        } else {
            unk_begin = unk_end > unk_begin ? unk_begin : begin;
            unk_end = end;
        }
    }
    if (unk_end > unk_begin)
        slow_put(out, unk, unk_begin, unk_end, TSL_TOKEN_UNKNOWN);
    for (;;) {
        size_t best = n, at = 0;
        for (size_t i = first; i + 1 < out->n; i++)
            for (size_t rank = n; rank-- > 0;) /* of rules for one pair the last counts */
                if (merges[rank].left == out->ids[i] &&
                    merges[rank].right == out->ids[i + 1]) {
                    if (rank < best) {
                        best = rank;
                        at = i;
                    }
                    break;
                }
        if (best == n)
            return;
        out->ids[at] = merges[best].merged;
        out->end[at] = out->end[at + 1];
        out->marks[at] = 0;
        out->n--;
        for (size_t i = at + 1; i < out->n; i++) {
            out->ids[i] = out->ids[i + 1];
            out->begin[i] = out->begin[i + 1];
            out->end[i] = out->end[i + 1];
            out->marks[i] = out->marks[i + 1];
        }
    }
}

/* For each end all begins; a better sum must be truly better to replace an earlier begin's.
 * Every id has a score; unk is one of them. */
static inline void slow_unigram(const struct tsl_vocab *v, const double *scores,
                                uint32_t unk, bool byte_fallback, struct tsl_slice piece,
                                struct tsl_tokens *out)
{
    const struct tsl_slice none = { NULL, 0 };
    struct way {
        double score;
        int64_t begin, id; /* begin -1: no way leads here */
    } *ways = calloc(piece.len + 1, sizeof *ways);
    size_t *ends = calloc(piece.len + 1, sizeof *ends), n = 0;
    double worst = scores[0];
    if (!ways || !ends)
        abort();
    for (uint32_t id = 0; id < tsl_vocab_size(v); id++)
        worst = scores[id] < worst ? scores[id] : worst;
    for (size_t end = 1; end <= piece.len; end++) {
        ways[end].begin = -1;
        for (size_t begin = 0; begin < end; begin++) {
            uint32_t cp;
            struct tsl_slice part = { piece.data + begin, end - begin };
            if (ways[begin].begin < 0)
                continue;
            int64_t id = slow_find(v, part, none, none);
            double score = id >= 0 ? scores[id] : worst - 10;
            bool is_char =
                tsl_utf8_decode(part.data, piece.data + piece.len, &cp) == part.len;
            if (id < 0 && !is_char)
                continue;
            score += ways[begin].score;
            if (ways[end].begin < 0 || score > ways[end].score)
                ways[end] =
                    (struct way){ score, (int64_t)begin, id >= 0 ? id : (int64_t)unk };
        }
    }
    for (size_t end = piece.len; end > 0; end = (size_t)ways[end].begin)
        ends[n++] = end;
    for (size_t begin = 0, i = n; i-- > 0; begin = ends[i]) {
        if (ways[ends[i]].id != unk) {
            slow_put(out, ways[ends[i]].id, begin, ends[i], 0);
            continue;
        }
        while (i > 0 && ways[ends[i - 1]].id == unk)
            i--;
        struct tsl_slice part = { piece.data + begin, ends[i] - begin };
        int64_t id = slow_find(v, part, none, none);
        bool all = byte_fallback;
        for (size_t k = 0; k < part.len; k++)
            all &= slow_byte(v, part.data[k]) >= 0;
        if (id >= 0 || !all)
            slow_put(out, id >= 0 ? id : (int64_t)unk, begin, ends[i],
                     id >= 0 ? 0 : TSL_TOKEN_UNKNOWN);
        for (size_t k = 0; id < 0 && all && k < part.len; k++)
            slow_put(out, slow_byte(v, part.data[k]), begin, ends[i], 0);
    }
    free(ways);
    free(ends);
}

#endif
