#include "base/parse.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool tsl_parse_u64(const char *s, uint64_t *out, bool *overflow)
{
    uint64_t v = 0;
    bool over = false;
    if (overflow)
        *overflow = false;
    if (!*s)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        over |= __builtin_mul_overflow(v, 10, &v);
        over |= __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v);
    }
    if (over) {
        if (overflow)
            *overflow = true;
        return false;
    }
    *out = v;
    return true;
}

/* digits [. digits], as *digits / *unit; the locale has no say.  Kept apart so
 * that 1.001KB is 1001 bytes and not one less.  Returns what follows, NULL when nothing
 * fits. */
static const char *decimal(const char *s, long double *digits, long double *unit)
{
    bool any = false;
    *digits = 0;
    *unit = 1;
    for (; *s >= '0' && *s <= '9'; s++, any = true)
        *digits = *digits * 10 + (*s - '0');
    if (*s == '.')
        for (s++; *s >= '0' && *s <= '9'; s++, any = true) {
            if (*unit > 1e24L) /* finer than any byte of any size */
                continue;
            *digits = *digits * 10 + (*s - '0');
            *unit *= 10;
        }
    return any ? s : NULL;
}

bool tsl_parse_size(const char *s, uint64_t whole, uint64_t *out)
{
    static const char units[] = "KMGTPE";
    long double v, unit;
    bool zero = true;
    for (const char *p = s; *p; p++)
        zero &= *p < '1' || *p > '9';
    s = decimal(s, &v, &unit);
    if (!s)
        return false;
    if (*s == '%' && whole) {
        v = v * (long double)whole;
        unit *= 100;
        s++;
    } else if (*s == 'b') {
        v *= 512;
        s++;
    } else if (*s == 'B') {
        s++;
    } else if (*s) {
        char c = *s >= 'a' && *s <= 'z' ? (char)(*s - 'a' + 'A') : *s;
        const char *u = strchr(units, c);
        if (!u)
            return false;
        long double base = 1024;
        if (s[1] == 'B' && !s[2]) {
            base = 1000;
            s += 2;
        } else if (s[1] == 'i' && s[2] == 'B') {
            s += 3;
        } else {
            s++;
        }
        for (ptrdiff_t i = 0; i <= u - units; i++)
            v *= base;
    }
    v /= unit;
    if (*s || v >= 18446744073709551616.0L)
        return false;
    *out = (uint64_t)v;
    if (*out == 0 && !zero)
        *out = 1;
    return true;
}

bool tsl_parse_share(const char *s, double *out)
{
    long double v, unit;
    s = decimal(s, &v, &unit);
    if (!s)
        return false;
    if (*s == '%') {
        unit *= 100;
        s++;
    }
    v /= unit;
    if (*s || v > 1)
        return false;
    *out = (double)v;
    return true;
}

/* [+-] digits, at most three. */
static bool exponent(const char *s, int *e)
{
    int sign = *s == '-' ? -1 : 1, v = 0, n = 0;
    if (*s == '-' || *s == '+')
        s++;
    for (; *s >= '0' && *s <= '9' && n < 3; s++, n++)
        v = v * 10 + (*s - '0');
    *e = sign * v;
    return n > 0 && !*s;
}

bool tsl_parse_number(const char *s, double *out)
{
    uint64_t digits = 0;
    int e = 0, given = 0;
    bool any = false, behind = false;
    for (;; s++) {
        if (*s == '.' && !behind) {
            behind = true;
            continue;
        }
        if (*s < '0' || *s > '9')
            break;
        any = true;
        digits = digits * 10 + (unsigned)(*s - '0');
        e -= behind;
        if (digits >= UINT64_C(1000000000000000))
            return false;
    }
    if (!any || (*s && *s != 'e' && *s != 'E') || (*s && !exponent(s + 1, &given)))
        return false;
    for (e += given; digits && digits % 10 == 0; digits /= 10)
        e++;
    /* Without a point, which locales spell each in their own way. */
    char text[40];
    snprintf(text, sizeof text, "%" PRIu64 "e%d", digits, digits ? e : 0);
    double v = strtod(text, NULL);
    if (digits && !(v >= 1e-300 && v <= 1e300))
        return false;
    *out = v;
    return true;
}
