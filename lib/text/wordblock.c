#include "text/wordblock.h"

#include <assert.h>
#include <string.h>

#include "base/endian.h"

static uint8_t *put_number(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

static size_t number_bytes(uint64_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

static size_t shared_bytes(const uint8_t *a, const uint8_t *b, size_t most)
{
    size_t n = 0;
    for (; n + 8 <= most; n += 8) {
        uint64_t x = tsl_load64(a + n) ^ tsl_load64(b + n);
        if (x)
            return n + (unsigned)__builtin_ctzll(x) / 8;
    }
    while (n < most && a[n] == b[n])
        n++;
    return n;
}

void tsl_wordblock_begin(struct tsl_wordblock_writer *w, uint8_t *p, size_t cap)
{
    assert(cap >= TSL_WORDBLOCK_RECORD_MAX);
    w->p = p;
    w->cap = cap;
    w->len = 0;
    w->nwords = 0;
}

bool tsl_wordblock_put(struct tsl_wordblock_writer *w, struct tsl_slice word,
                       uint64_t count)
{
    assert(word.len > 0 && word.len <= TSL_WORDBLOCK_WORD_MAX && count > 0);
    size_t shared = 0;
    if (w->nwords)
        shared = shared_bytes(w->last, word.data,
                              w->last_len < word.len ? w->last_len : word.len);
    size_t own = word.len - shared;
    size_t room = w->cap - w->len;
    /* 16: of two lengths and a count, at most */
    if (room < own + 16 &&
        room < own + number_bytes(shared) + number_bytes(own) + number_bytes(count))
        return false;
    uint8_t *p = put_number(w->p + w->len, shared);
    p = put_number(p, own);
    memcpy(p, word.data + shared, own);
    p = put_number(p + own, count);
    w->len = (size_t)(p - w->p);
    w->nwords++;
    memcpy(w->last + shared, word.data + shared, own);
    w->last_len = word.len;
    return true;
}

void tsl_wordblock_open(struct tsl_wordblock_reader *r, const uint8_t *p, size_t len,
                        uint32_t n)
{
    r->p = p;
    r->end = p + len;
    r->left = n;
    r->first = true;
}

/* false: it is cut short, too long for 64 bits, or longer than it need be. */
static bool get_number(struct tsl_wordblock_reader *r, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; r->p < r->end && shift < 64; shift += 7) {
        uint8_t c = *r->p++;
        if (shift == 63 && c > 1)
            return false;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            *out = v;
            return c != 0 || shift == 0;
        }
    }
    return false;
}

int tsl_wordblock_next(struct tsl_wordblock_reader *r, struct tsl_err *err)
{
    uint64_t shared, own;
    if (r->left == 0)
        return r->p == r->end
                   ? 0
                   : tsl_err_set(err, TSL_EFORMAT, "bytes behind the last word");
    if (!get_number(r, &shared) || !get_number(r, &own) ||
        own > (uint64_t)(r->end - r->p))
        return tsl_err_set(err, TSL_EFORMAT, "a word is cut short");
    if (shared > (r->first ? 0 : r->len))
        return tsl_err_set(err, TSL_EFORMAT, "a word shares more than there is");
    if (own == 0 || own > r->word_max - shared)
        return tsl_err_set(err, TSL_EFORMAT,
                           own ? "a word is too long" : "a word has no bytes of its own");
    /* the word before, from where the two may differ on: it must be smaller */
    size_t rest = r->len - shared;
    int order = memcmp(r->p, r->word + shared, own < rest ? own : rest);
    if (order < 0 || (order == 0 && own <= rest))
        return tsl_err_set(err, TSL_EFORMAT, "the words are not in order");
    memcpy(r->word + shared, r->p, own);
    r->len = shared + own;
    r->p += own;
    if (!get_number(r, &r->count) || r->count == 0)
        return tsl_err_set(err, TSL_EFORMAT, "a word's count is none");
    r->left--;
    r->first = false;
    return 1;
}
