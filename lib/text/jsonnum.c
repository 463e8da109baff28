#include "text/jsonnum.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

enum {
    NUMBER_MAX =
        400, /* bytes of a number; of longer ones nobody asks for the last place */
    EXPONENT_MAX = 100000
};

/* 10^n, the nearest double. */
static double power(int n)
{
    static const double exact[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    char text[16];
    if (n < (int)(sizeof exact / sizeof *exact))
        return exact[n];
    snprintf(text, sizeof text, "1e%d", n);
    return strtod(text, NULL);
}

static bool digit(const uint8_t *p, const uint8_t *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

/* The digits at *p, as far as *value holds them; shift: what each of them, and each that is
 * left out, moves the point by. */
static const uint8_t *digits(const uint8_t *p, const uint8_t *end, uint64_t *value,
                             bool *full, int taken, int left, int *exponent)
{
    for (; digit(p, end); p++) {
        unsigned d = (unsigned)(*p - '0');
        *full = *full || *value > (UINT64_MAX - d) / 10;
        *value = *full ? *value : *value * 10 + d;
        *exponent += *full ? left : taken;
    }
    return p;
}

double tsl_jsonnum_value(struct tsl_slice s)
{
    const uint8_t *p = s.data, *end = p + s.len;
    bool minus = p < end && *p == '-', full = false;
    uint64_t value = 0;
    int exponent = 0;
    p = digits(p + minus, end, &value, &full, 0, 1, &exponent);
    if (p < end && *p == '.')
        p = digits(p + 1, end, &value, &full, -1, 0, &exponent);
    if (p < end) { /* e */
        bool down = ++p < end && *p == '-';
        int given = 0;
        for (p += p < end && (*p == '-' || *p == '+'); digit(p, end); p++)
            given = given < EXPONENT_MAX ? given * 10 + (*p - '0') : given;
        exponent += down ? -given : given;
    }
    double f = (double)value;
    for (; f != 0 && exponent < -308; exponent += 308)
        f /= 1e308;
    if (f != 0)
        f = exponent > 308  ? INFINITY
            : exponent >= 0 ? f * power(exponent)
                            : f / power(-exponent);
    return minus ? -f : f;
}

/* Behind the number at p; *real: it has a point or an exponent. */
static const uint8_t *number_end(const uint8_t *p, const uint8_t *end, bool *real)
{
    *real = false;
    for (; p < end && (digit(p, end) || (*p && strchr("+-.eE", *p))); p++)
        *real = *real || *p == '.' || *p == 'e' || *p == 'E';
    return p;
}

static const uint8_t *string_end(const uint8_t *p, const uint8_t *end)
{
    for (p++; p < end && *p != '"'; p++)
        p += *p == '\\';
    return p < end ? p + 1 : end;
}

/* Whether n bytes at p need another spelling, and which. */
static bool changes(const uint8_t *p, size_t n, char to[TSL_JSON_NUMBER])
{
    char text[NUMBER_MAX + 1], *stop;
    if (n > NUMBER_MAX)
        return false;
    memcpy(text, p, n);
    text[n] = '\0';
    double nearest = strtod(text, &stop);
    double value = tsl_jsonnum_value((struct tsl_slice){ p, n });
    if (*stop || value == nearest || !isfinite(value))
        return false;
    tsl_json_shortest(to, value);
    return true;
}

int tsl_jsonnum_spell(struct tsl_slice *text, uint8_t **made, struct tsl_err *err)
{
    const uint8_t *p = text->data, *end = p + text->len, *done = p;
    uint8_t *out = NULL;
    size_t n = 0, cap = 0;
    *made = NULL;
    while (p < end) {
        char number[TSL_JSON_NUMBER];
        const uint8_t *at = p;
        bool real;
        if (*p == '"') {
            p = string_end(p, end);
            continue;
        }
        if (*p != '-' && !digit(p, end)) {
            p++;
            continue;
        }
        p = number_end(p, end, &real);
        if (!real || !changes(at, (size_t)(p - at), number))
            continue;
        size_t before = (size_t)(at - done), len = strlen(number);
        /* with room for all that is left, it seldom grows again */
        if (tsl_mem_grow(&out, &cap, n + before + len + (size_t)(end - p) + 1, 1,
                         "a file", err) < 0) {
            tsl_mem_free(out);
            return TSL_ENOMEM;
        }
        memcpy(out + n, done, before);
        memcpy(out + n + before, number, len);
        n += before + len;
        done = p;
    }
    if (!out)
        return 0;
    memcpy(out + n, done, (size_t)(end - done));
    *text = (struct tsl_slice){ out, n + (size_t)(end - done) };
    *made = out;
    return 0;
}
