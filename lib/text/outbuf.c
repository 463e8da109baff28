#include "text/outbuf.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

enum { FLUSH_BYTES = 1 << 20 };

int tsl_outbuf_flush(struct tsl_outbuf *b, struct tsl_err *err)
{
    int rc = b->sink && b->len ? tsl_sink_write(b->sink, b->p, b->len, err) : 0;
    b->len = 0;
    return rc;
}

int tsl_outbuf_reserve(struct tsl_outbuf *b, size_t n, struct tsl_err *err)
{
    if (b->cap - b->len >= n && b->cap)
        return 0;
    if (b->sink && b->len >= FLUSH_BYTES) {
        int rc = tsl_outbuf_flush(b, err);
        if (rc < 0 || b->cap >= n)
            return rc;
    }
    return tsl_mem_grow(&b->p, &b->cap, b->len + n, 1, "the output", err);
}

int tsl_outbuf_put(struct tsl_outbuf *b, const void *p, size_t n, struct tsl_err *err)
{
    int rc = tsl_outbuf_reserve(b, n, err);
    if (rc < 0 || n == 0)
        return rc;
    memcpy(b->p + b->len, p, n);
    b->len += n;
    return 0;
}

int tsl_outbuf_quoted(struct tsl_outbuf *b, const uint8_t *p, size_t n,
                      struct tsl_err *err)
{
    const uint8_t *end = p + n;
    int rc = tsl_outbuf_put(b, "\"", 1, err);
    while (p < end && rc == 0) {
        const uint8_t *from = p;
        while (p < end && *p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\')
            p++;
        rc = tsl_outbuf_put(b, from, (size_t)(p - from), err);
        if (rc < 0 || p == end)
            break;
        uint32_t cp;
        char esc[8];
        size_t k = tsl_utf8_decode(p, end, &cp);
        if (cp == '"' || cp == '\\')
            rc = tsl_outbuf_put(b, esc, (size_t)sprintf(esc, "\\%c", (char)cp), err);
        else if (cp == '\n' || cp == '\t' || cp == '\r')
            rc = tsl_outbuf_put(b,
                                cp == '\n'   ? "\\n"
                                : cp == '\t' ? "\\t"
                                             : "\\r",
                                2, err);
        else if (cp < 0x20)
            rc = tsl_outbuf_put(b, esc, (size_t)sprintf(esc, "\\u%04x", (unsigned)cp),
                                err);
        else if (cp == TSL_UTF8_BAD)
            rc = tsl_outbuf_put(b, "\xef\xbf\xbd", 3, err);
        else
            rc = tsl_outbuf_put(b, p, k, err);
        p += k;
    }
    return rc < 0 ? rc : tsl_outbuf_put(b, "\"", 1, err);
}

void tsl_outbuf_fini(struct tsl_outbuf *b)
{
    tsl_mem_free(b->p);
    *b = (struct tsl_outbuf){ .sink = b->sink };
}
