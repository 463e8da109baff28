#include "text/outbuf.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

enum { FLUSH_BYTES = 1 << 20, ESCAPE_BYTES = 16 << 10 };

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
    int rc = tsl_outbuf_put(b, "\"", 1, err);
    while (rc == 0 && n) { /* piece by piece: room for all escapes is six times as much */
        size_t take =
            n < ESCAPE_BYTES ? n : ESCAPE_BYTES - tsl_utf8_open(p, ESCAPE_BYTES);
        rc = tsl_outbuf_reserve(b, TSL_JSON_ESCAPED_MAX * take, err);
        if (rc < 0)
            return rc;
        char *to = (char *)b->p + b->len;
        b->len += (size_t)(tsl_json_escape(to, p, take) - to);
        p += take;
        n -= take;
    }
    return rc < 0 ? rc : tsl_outbuf_put(b, "\"", 1, err);
}

void tsl_outbuf_fini(struct tsl_outbuf *b)
{
    tsl_mem_free(b->p);
    *b = (struct tsl_outbuf){ .sink = b->sink };
}
