#include "base/html.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static bool room(struct tsl_html *h, size_t n)
{
    if (h->failed ||
        tsl_mem_grow(&h->text, &h->cap, h->len + n + 1, 1, "a page", NULL) < 0)
        h->failed = true;
    return !h->failed;
}

void tsl_html_bytes(struct tsl_html *h, const char *s, size_t n)
{
    if (!room(h, n))
        return;
    memcpy(h->text + h->len, s, n);
    h->len += n;
}

void tsl_html_add(struct tsl_html *h, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (!room(h, (size_t)n))
        return;
    va_start(args, format);
    vsnprintf(h->text + h->len, (size_t)n + 1, format, args);
    va_end(args);
    h->len += (size_t)n;
}

void tsl_html_text(struct tsl_html *h, const char *s)
{
    for (; *s; s++)
        switch (*s) {
        case '<': tsl_html_bytes(h, "&lt;", 4); break;
        case '>': tsl_html_bytes(h, "&gt;", 4); break;
        case '&': tsl_html_bytes(h, "&amp;", 5); break;
        case '"': tsl_html_bytes(h, "&quot;", 6); break;
        default: tsl_html_bytes(h, (uint8_t)*s < ' ' && *s != '\n' ? " " : s, 1);
        }
}

const char *tsl_html_grouped(char *to, uint64_t n)
{
    char s[24];
    int len = snprintf(s, sizeof s, "%" PRIu64, n), at = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            to[at++] = ',';
        to[at++] = s[i];
    }
    to[at] = '\0';
    return to;
}

int tsl_html_end(const struct tsl_html *h, struct tsl_err *err)
{
    return h->failed ? tsl_err_nomem(err, h->len, "a page") : 0;
}

void tsl_html_fini(struct tsl_html *h)
{
    tsl_mem_free(h->text);
    *h = (struct tsl_html){ 0 };
}
