#include "base/quote.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* How many bytes at p a terminal might obey instead of showing: control characters, those
 * of C1 (U+0080 to U+009F) too, and bytes that are no UTF-8.  0: none. */
static size_t control_len(const unsigned char *p)
{
    size_t n = tsl_utf8_len(p);
    if (n == 0 || *p < 0x20 || *p == 0x7f)
        return 1;
    return n == 2 && p[0] == 0xc2 && p[1] < 0xa0 ? 2 : 0;
}

struct tsl_quoted tsl_quote(const char *name)
{
    struct tsl_quoted q;
    bool odd = !*name, control = false;
    const unsigned char *p = (const unsigned char *)name;
    for (size_t n; *p; p += n) {
        n = control_len(p);
        control |= n > 0 || *p == '\'';
        odd |= *p < 0x80 && strchr(" !\"#$&()*;<=>?[\\]^`{|}~", *p) != NULL;
        if (n == 0)
            n = tsl_utf8_len(p);
    }
    size_t n = 0, room = sizeof q.s - 16; /* two escapes, the dots, the quote, the end */
    if (control)
        n += (size_t)sprintf(q.s, "$'");
    else if (odd)
        q.s[n++] = '\'';
    p = (const unsigned char *)name;
    while (*p && n < room) {
        size_t bad = control_len(p), good = bad ? 0 : tsl_utf8_len(p);
        for (; bad > 0; bad--)
            n += (size_t)sprintf(q.s + n, "\\%03o", *p++);
        if (control && good && (*p == '\'' || *p == '\\'))
            q.s[n++] = '\\';
        for (; good > 0; good--)
            q.s[n++] = (char)*p++;
    }
    if (*p)
        n += (size_t)sprintf(q.s + n, "...");
    if (control || odd)
        q.s[n++] = '\'';
    q.s[n] = '\0';
    return q;
}
