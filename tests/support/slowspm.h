/* slowspm.h - SentencePiece's encoding as its definition reads, one step after the other:
 * what the engine is compared with.  A map from each byte to its origin, all substrings
 * looked up by a hash, the best of all pairs sought anew for each joining.
 *
 * Allocation failures end the program.  Header only, so that fuzz targets can have it. */
#ifndef TSL_SLOWSPM_H
#define TSL_SLOWSPM_H

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "text/charsmap.h"
#include "text/tokens.h"
#include "text/tokfile_spm.h"

struct slow_norm {
    uint8_t *bytes;
    size_t *from; /* len + 1 of them */
    size_t len, cap;
};

static inline void slow_spm_must(bool good)
{
    if (!good)
        abort();
}

static inline void slow_norm_add(struct slow_norm *t, uint8_t byte, size_t from)
{
    if (t->len + 2 > t->cap) {
        t->cap = 2 * t->cap + 64;
        t->bytes = realloc(t->bytes, t->cap);
        t->from = realloc(t->from, t->cap * sizeof *t->from);
        slow_spm_must(t->bytes && t->from);
    }
    t->bytes[t->len] = byte;
    t->from[t->len++] = from;
}

static inline void slow_norm_space(struct slow_norm *t, bool escape, size_t from)
{
    const char *s = escape ? "\xe2\x96\x81" : " ";
    for (; *s; s++)
        slow_norm_add(t, (uint8_t)*s, from);
}

static inline size_t slow_spm_user(const struct tsl_tokfile_spm *m, const uint8_t *p,
                                   size_t n)
{
    size_t best = 0;
    for (size_t i = 0; i < m->npieces; i++) {
        struct tsl_slice t = m->pieces[i].text;
        if (m->pieces[i].type == TSL_SPM_USER_DEFINED && t.len <= n && t.len > best &&
            memcmp(t.data, p, t.len) == 0)
            best = t.len;
    }
    return best;
}

static inline size_t slow_norm_step(const struct tsl_tokfile_spm *m,
                                    const struct tsl_charsmap *map, const uint8_t *p,
                                    size_t n, struct tsl_slice *to)
{
    uint32_t cp;
    size_t used = slow_spm_user(m, p, n);
    if (used) {
        *to = (struct tsl_slice){ p, used };
        return used;
    }
    if (tsl_charsmap_match(map, p, n, &used, to))
        return used;
    used = tsl_utf8_decode(p, p + n, &cp);
    *to = (struct tsl_slice){ p, used };
    if (cp != TSL_UTF8_BAD)
        return used;
    *to = (struct tsl_slice){ (const uint8_t *)"\xef\xbf\xbd", 3 };
    return 1;
}

static inline struct slow_norm slow_norm(const struct tsl_tokfile_spm *m,
                                         struct tsl_slice text)
{
    const struct tsl_spm_normalizer *o = &m->options.normalizer;
    bool remove = o->remove_extra_whitespaces, suffix = m->options.whitespace_suffix;
    struct slow_norm t = { 0 };
    struct tsl_charsmap map;
    struct tsl_slice to;
    size_t at = 0, used;
    slow_spm_must(tsl_charsmap_open(&map, o->charsmap, NULL) == 0);
    while (remove && at < text.len) {
        used = slow_norm_step(m, &map, text.data + at, text.len - at, &to);
        if (to.len != 1 || *to.data != ' ')
            break;
        at += used;
    }
    if (at == text.len)
        return t;
    if (o->add_dummy_prefix && !suffix)
        slow_norm_space(&t, o->escape_whitespaces, at);
    for (bool space = remove; at < text.len; at += used) {
        used = slow_norm_step(m, &map, text.data + at, text.len - at, &to);
        while (space && to.len && *to.data == ' ')
            to.data++, to.len--;
        for (size_t i = 0; i < to.len; i++) {
            if (to.data[i] == ' ')
                slow_norm_space(&t, o->escape_whitespaces, at);
            else
                slow_norm_add(&t, to.data[i], at);
        }
        if (to.len)
            space = remove && to.data[to.len - 1] == ' ';
    }
    struct tsl_slice mark = { (const uint8_t *)"\xe2\x96\x81", 3 };
    if (!o->escape_whitespaces)
        mark = (struct tsl_slice){ (const uint8_t *)" ", 1 };
    while (remove && t.len >= mark.len &&
           memcmp(t.bytes + t.len - mark.len, mark.data, mark.len) == 0) {
        t.len -= mark.len;
        at = t.from[t.len];
    }
    if (o->add_dummy_prefix && suffix)
        slow_norm_space(&t, o->escape_whitespaces, at);
    slow_norm_add(&t, 0, at);
    t.len--;
    return t;
}

struct slow_piece {
    size_t len;
    int64_t id;
};

static inline size_t slow_spm_char(const uint8_t *p, const uint8_t *end)
{
    uint32_t cp;
    return tsl_utf8_decode(p, end, &cp);
}

static inline int64_t slow_spm_id(const struct tsl_tokfile_spm *m, const uint8_t *p,
                                  size_t n, int64_t unk)
{
    struct tsl_slice s = { p, n };
    int64_t id = tsl_tokfile_spm_find(m, s, true);
    if (id < 0)
        id = tsl_tokfile_spm_find(m, s, false);
    return id < 0 || m->pieces[id].type == TSL_SPM_CONTROL ? unk : id;
}

static inline size_t slow_spm_longest(const struct tsl_tokfile_spm *m)
{
    size_t longest = 1;
    for (size_t i = 0; i < m->npieces; i++)
        longest = m->pieces[i].text.len > longest ? m->pieces[i].text.len : longest;
    return longest;
}

static inline size_t slow_unigram(const struct tsl_tokfile_spm *m, const uint8_t *s,
                                  size_t n, int64_t unk, struct slow_piece *out)
{
    float *best = calloc(n + 1, sizeof *best), min = FLT_MAX, max = FLT_MIN;
    size_t *from = calloc(n + 1, sizeof *from), longest = slow_spm_longest(m), k = 0;
    int64_t *ids = calloc(n + 1, sizeof *ids);
    slow_spm_must(best && from && ids);
    for (size_t i = 0; i <= n; i++)
        from[i] = SIZE_MAX;
    for (size_t i = 0; i < m->npieces; i++) {
        float score = m->pieces[i].score;
        if (m->pieces[i].type == TSL_SPM_NORMAL) {
            min = score < min ? score : min;
            max = score > max ? score : max;
        }
    }
    for (size_t at = 0, len; at < n; at += len) {
        bool single = false;
        len = slow_spm_char(s + at, s + n);
        for (size_t l = 1; l <= longest && at + l <= n; l++) {
            int64_t id = tsl_tokfile_spm_find(m, (struct tsl_slice){ s + at, l }, false);
            if (id < 0 || m->pieces[id].type == TSL_SPM_UNUSED)
                continue;
            float bonus = (float)l * max;
            double score = m->pieces[id].type == TSL_SPM_USER_DEFINED
                               ? (double)bonus - 0.1
                               : (double)m->pieces[id].score;
            double sum = score + (double)best[at];
            if (from[at + l] == SIZE_MAX || sum > (double)best[at + l]) {
                best[at + l] = (float)sum;
                from[at + l] = at;
                ids[at + l] = id;
            }
            single |= l == len;
        }
        float sum = min - 10.0F;
        sum += best[at];
        if (!single && (from[at + len] == SIZE_MAX || sum > best[at + len])) {
            best[at + len] = sum;
            from[at + len] = at;
            ids[at + len] = unk;
        }
    }
    for (size_t at = n; at > 0; at = from[at])
        out[k++] = (struct slow_piece){ at - from[at], ids[at] };
    for (size_t i = 0; i < k / 2; i++) {
        struct slow_piece p = out[i];
        out[i] = out[k - 1 - i];
        out[k - 1 - i] = p;
    }
    free(best);
    free(from);
    free(ids);
    return k;
}

/* Where a symbol begins, and whether it may be joined. */
struct slow_symbol {
    size_t at, len;
    bool frozen;
};

static inline int64_t slow_bpe_pair(const struct tsl_tokfile_spm *m, const uint8_t *s,
                                    const struct slow_symbol *a, size_t *unjoin)
{
    if (a[0].frozen || a[1].frozen)
        return -1;
    int64_t id = tsl_tokfile_spm_find(
        m, (struct tsl_slice){ s + a[0].at, a[0].len + a[1].len }, false);
    if (id >= 0)
        unjoin[id] = a[0].len;
    return id;
}

static inline size_t slow_bpe_give(const struct tsl_tokfile_spm *m, const uint8_t *s,
                                   size_t len, int64_t unk, const size_t *unjoin,
                                   struct slow_piece *out)
{
    int64_t id = slow_spm_id(m, s, len, unk);
    if (m->pieces[id].type == TSL_SPM_UNUSED && unjoin[id]) {
        size_t k = slow_bpe_give(m, s, unjoin[id], unk, unjoin, out);
        return k +
               slow_bpe_give(m, s + unjoin[id], len - unjoin[id], unk, unjoin, out + k);
    }
    *out = (struct slow_piece){ len, id };
    return 1;
}

static inline size_t slow_bpe(const struct tsl_tokfile_spm *m, const uint8_t *s, size_t n,
                              int64_t unk, struct slow_piece *out)
{
    struct slow_symbol *a = calloc(n + 1, sizeof *a);
    size_t *unjoin = calloc(m->npieces, sizeof *unjoin), k = 0, count = 0;
    slow_spm_must(a && unjoin);
    for (size_t at = 0; at < n; at += a[k++].len) {
        size_t user = slow_spm_user(m, s + at, n - at);
        size_t len = user ? user : slow_spm_char(s + at, s + n);
        a[k] = (struct slow_symbol){ at, len, user > 0 };
    }
    for (size_t i = 0; i + 1 < k; i++)
        slow_bpe_pair(m, s, a + i, unjoin);
    for (;;) {
        size_t best = SIZE_MAX;
        float score = 0;
        for (size_t i = 0; i + 1 < k; i++) {
            size_t *scratch = calloc(m->npieces, sizeof *scratch);
            int64_t id = slow_bpe_pair(m, s, a + i, scratch);
            free(scratch);
            if (id >= 0 && (best == SIZE_MAX || m->pieces[id].score > score)) {
                best = i;
                score = m->pieces[id].score;
            }
        }
        if (best == SIZE_MAX)
            break;
        a[best].len += a[best + 1].len;
        memmove(a + best + 1, a + best + 2, (k - best - 2) * sizeof *a);
        k--;
        if (best > 0)
            slow_bpe_pair(m, s, a + best - 1, unjoin);
        if (best + 1 < k)
            slow_bpe_pair(m, s, a + best, unjoin);
    }
    for (size_t i = 0; i < k; i++)
        count += slow_bpe_give(m, s + a[i].at, a[i].len, unk, unjoin, out + count);
    free(a);
    free(unjoin);
    return count;
}

/* Of a char or a word model. */
static inline size_t slow_split(const struct tsl_tokfile_spm *m, const uint8_t *s,
                                size_t n, int64_t unk, struct slow_piece *out)
{
    bool word = m->options.algorithm == TSL_SPM_WORD;
    size_t k = 0;
    for (size_t at = 0, len; at < n; at += len) {
        len = word ? 0 : slow_spm_user(m, s + at, n - at);
        if (len == 0)
            len = slow_spm_char(s + at, s + n);
        while (word && at + len < n &&
               (n - at - len < 3 || memcmp(s + at + len, "\xe2\x96\x81", 3) != 0))
            len++;
        out[k++] = (struct slow_piece){ len, slow_spm_id(m, s + at, len, unk) };
    }
    return k;
}

static inline bool slow_is_space(const struct tsl_tokfile_spm *m, const uint8_t *p)
{
    if (m->options.normalizer.escape_whitespaces)
        return memcmp(p, "\xe2\x96\x81", 3) == 0;
    return *p == ' ';
}

/* Adds all of text's tokens, spans and marks to out. */
static inline void slow_spm(const struct tsl_tokfile_spm *m, struct tsl_slice text,
                            struct tsl_tokens *out)
{
    struct slow_norm t = slow_norm(m, text);
    struct slow_piece *pieces = calloc(t.len + 1, sizeof *pieces);
    enum tsl_spm_algorithm how = m->options.algorithm;
    int64_t unk = 0;
    size_t k, at = 0;
    bool was_unk = false, start = true, escape = m->options.normalizer.escape_whitespaces;
    slow_spm_must(pieces != NULL);
    while (m->pieces[unk].type != TSL_SPM_UNKNOWN)
        unk++;
    k = how == TSL_SPM_UNIGRAM ? slow_unigram(m, t.bytes, t.len, unk, pieces)
        : how == TSL_SPM_BPE   ? slow_bpe(m, t.bytes, t.len, unk, pieces)
                               : slow_split(m, t.bytes, t.len, unk, pieces);
    for (size_t i = 0; i < k; at += pieces[i++].len) {
        size_t end = at + pieces[i].len;
        uint32_t from = (uint32_t)t.from[at], to = (uint32_t)t.from[end];
        bool is_unk = pieces[i].id == unk;
        bool front = pieces[i].len >= (escape ? 3 : 1) && slow_is_space(m, t.bytes + at);
        unsigned mark =
            start || (front && !m->options.whitespace_suffix) ? TSL_TOKEN_WORD_START : 0;
        start = pieces[i].len >= (escape ? 3 : 1) &&
                slow_is_space(m, t.bytes + end - (escape ? 3 : 1));
        if (is_unk && m->options.byte_fallback) {
            for (size_t b = at; b < end; b++, mark = 0) {
                int64_t id = 0;
                while (m->pieces[id].type != TSL_SPM_BYTE ||
                       tsl_tokfile_spm_byte(m->pieces[id].text) != t.bytes[b])
                    id++;
                slow_spm_must(tsl_tokens_add(out, (uint32_t)id, from,
                                             b + 1 == end ? to : from, mark, NULL) == 0);
            }
        } else if (is_unk && was_unk) {
            out->end[out->n - 1] = to;
        } else {
            mark |= is_unk ? TSL_TOKEN_UNKNOWN : 0;
            slow_spm_must(
                tsl_tokens_add(out, (uint32_t)pieces[i].id, from, to, mark, NULL) == 0);
        }
        was_unk = is_unk;
    }
    free(pieces);
    free(t.bytes);
    free(t.from);
}

#endif
