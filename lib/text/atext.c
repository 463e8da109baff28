#include "text/atext.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

void tsl_atext_init(struct tsl_atext *t)
{
    *t = (struct tsl_atext){ 0 };
}

void tsl_atext_reset(struct tsl_atext *t)
{
    t->len = 0;
    t->origin = 0;
}

void tsl_atext_fini(struct tsl_atext *t)
{
    tsl_mem_free(t->bytes);
    tsl_mem_free(t->begin);
    tsl_mem_free(t->end);
    *t = (struct tsl_atext){ 0 };
}

enum { SPARE_MAX = 64 << 20 }; /* bytes; longer texts grow by an eighth */

static int grow(void *array, size_t cap, size_t size, struct tsl_err *err)
{
    void **p = array, *grown = tsl_mem_resize(*p, cap, size, "text", err);
    if (!grown)
        return TSL_ENOMEM;
    *p = grown;
    return 0;
}

/* Room for n more bytes. */
static int reserve(struct tsl_atext *t, size_t n, struct tsl_err *err)
{
    if (t->cap - t->len >= n)
        return 0;
    /* Offsets have 32 bits, and lengths in 32 bits stay below what doubling can reach. */
    if (n > UINT32_MAX - t->len)
        return tsl_err_set(err, TSL_EFORMAT, "a text of more than 4 GiB in one row");
    size_t cap = t->cap < 256 ? 256 : t->cap;
    while (cap - t->len < n)
        cap *= 2;
    if (cap > SPARE_MAX && cap > (t->len + n) / 8 * 9)
        cap = (t->len + n) / 8 * 9;
    if (grow(&t->bytes, cap, 1, err) < 0 ||
        grow(&t->begin, cap, sizeof *t->begin, err) < 0 ||
        grow(&t->end, cap, sizeof *t->end, err) < 0)
        return TSL_ENOMEM; /* arrays that grew have at least t->cap: nothing is lost */
    t->cap = cap;
    return 0;
}

int tsl_atext_add(struct tsl_atext *t, const void *bytes, size_t n, uint32_t begin,
                  uint32_t end, struct tsl_err *err)
{
    if (t->cap - t->len < n) {
        int rc = reserve(t, n, err);
        if (rc < 0)
            return rc;
    }
    const uint8_t *from = bytes;
    for (size_t i = 0; i < n; i++) {
        t->bytes[t->len + i] = from[i];
        t->begin[t->len + i] = begin;
        t->end[t->len + i] = end;
    }
    t->len += n;
    return 0;
}

int tsl_atext_set(struct tsl_atext *t, struct tsl_slice text, struct tsl_err *err)
{
    uint8_t replacement[4];
    size_t replacement_len = tsl_utf8_encode(replacement, TSL_UTF8_REPLACEMENT);
    tsl_atext_reset(t);
    int rc = reserve(t, text.len, err);
    if (rc < 0)
        return rc;
    for (size_t at = 0; at < text.len;) {
        uint32_t cp;
        const uint8_t *p = text.data + at;
        size_t n = tsl_utf8_decode(p, text.data + text.len, &cp);
        if (cp == TSL_UTF8_BAD)
            rc = tsl_atext_add(t, replacement, replacement_len, (uint32_t)at,
                               (uint32_t)(at + n), err);
        else
            rc = tsl_atext_add(t, p, n, (uint32_t)at, (uint32_t)(at + n), err);
        if (rc < 0)
            return rc;
        at += n;
    }
    return 0;
}

int tsl_atext_put(struct tsl_atext *t, uint32_t cp, uint32_t begin, uint32_t end,
                  struct tsl_err *err)
{
    uint8_t utf8[4];
    return tsl_atext_add(t, utf8, tsl_utf8_encode(utf8, cp), begin, end, err);
}

int tsl_atext_copy(struct tsl_atext *t, const struct tsl_atext *from, size_t begin,
                   size_t end, struct tsl_err *err)
{
    size_t n = end - begin;
    int rc = reserve(t, n, err);
    if (rc < 0 || n == 0)
        return rc;
    memcpy(t->bytes + t->len, from->bytes + begin, n);
    memcpy(t->begin + t->len, from->begin + begin, n * sizeof *t->begin);
    memcpy(t->end + t->len, from->end + begin, n * sizeof *t->end);
    t->len += n;
    return 0;
}

void tsl_arewrite_begin(struct tsl_arewrite *r, const struct tsl_atext *from,
                        struct tsl_atext *to)
{
    *r = (struct tsl_arewrite){ from, to, 0 };
    tsl_atext_reset(to);
    to->origin = from->origin;
}

void tsl_arewrite_skip(struct tsl_arewrite *r, size_t n)
{
    const struct tsl_atext *from = r->from;
    for (; n > 0 && r->at < from->len; n--)
        do
            r->at++;
        while (r->at < from->len && (from->bytes[r->at] & 0xc0) == 0x80);
}

int tsl_arewrite_put(struct tsl_arewrite *r, uint32_t cp, int change, struct tsl_err *err)
{
    const struct tsl_atext *from = r->from;
    uint32_t begin = from->origin, end = begin;
    size_t at = change > 0 ? r->at - 1 : r->at;
    if (change <= 0 || r->at > 0) {
        /* Behind the end only where the changes do not add up: no peer to follow. */
        if (at >= from->len)
            at = from->len - 1;
        begin = from->len > 0 ? from->begin[at] : 0;
        end = from->len > 0 ? from->end[at] : 0;
    }
    if (change <= 0)
        tsl_arewrite_skip(r, 1 + (size_t)-change);
    return tsl_atext_put(r->to, cp, begin, end, err);
}
