#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

static void add(struct tsl_json *j, const char *s, size_t n)
{
    if (j->failed ||
        tsl_mem_grow(&j->text, &j->cap, j->len + n + 1, 1, "JSON", NULL) < 0) {
        j->failed = true;
        return;
    }
    memcpy(j->text + j->len, s, n);
    j->len += n;
    j->text[j->len] = '\0';
}

char *tsl_json_escape(char *p, const uint8_t *s, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[32] = { ['\n'] = 'n', ['\t'] = 't', ['\r'] = 'r' };
    const uint8_t *end = s + n;
    while (s < end) {
        const uint8_t *from = s;
        size_t len = 0;
        while (s < end && *s >= 0x20 && *s != '"' && *s != '\\') {
            uint32_t cp;
            len = *s < 0x80 ? 1 : tsl_utf8_decode(s, end, &cp);
            if (*s >= 0x80 && cp == TSL_UTF8_BAD)
                break;
            s += len;
        }
        if (s > from) /* as they are, all at once */
            memcpy(p, from, (size_t)(s - from));
        p += s - from;
        if (s == end)
            break;
        if (*s >= 0x80) {
            memcpy(p, "\xef\xbf\xbd", 3);
            p += 3;
            s += len;
            continue;
        }
        uint8_t c = *s++;
        *p++ = '\\';
        if (c >= 0x20 || letters[c]) {
            *p++ = c >= 0x20 ? (char)c : letters[c];
            continue;
        }
        memcpy(p, "u00", 3);
        p[3] = hex[c >> 4];
        p[4] = hex[c & 15];
        p += 5;
    }
    return p;
}

static void quoted(struct tsl_json *j, struct tsl_slice s)
{
    size_t most = TSL_JSON_ESCAPED_MAX * s.len + 3;
    if (j->failed ||
        tsl_mem_grow(&j->text, &j->cap, j->len + most, 1, "JSON", NULL) < 0) {
        j->failed = true;
        return;
    }
    char *p = j->text + j->len;
    *p++ = '"';
    p = tsl_json_escape(p, s.data, s.len);
    *p++ = '"';
    *p = '\0';
    j->len = (size_t)(p - j->text);
}

static struct tsl_slice text(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static void next(struct tsl_json *j)
{
    if (j->comma)
        add(j, ",", 1);
    if (j->len)
        add(j, "\n", 1);
    j->comma = true;
}

static void start(struct tsl_json *j, const char *key)
{
    next(j);
    if (key) {
        quoted(j, text(key));
        add(j, ": ", 2);
    }
}

void tsl_json_open(struct tsl_json *j, const char *key, char bracket)
{
    start(j, key);
    add(j, &bracket, 1);
    j->comma = false;
}

void tsl_json_close(struct tsl_json *j, char bracket)
{
    add(j, "\n", 1);
    add(j, &bracket, 1);
    j->comma = true;
}

void tsl_json_str(struct tsl_json *j, const char *key, const char *value)
{
    tsl_json_slice(j, key, text(value));
}

void tsl_json_slice(struct tsl_json *j, const char *key, struct tsl_slice value)
{
    start(j, key);
    quoted(j, value);
}

void tsl_json_raw(struct tsl_json *j, const char *key, struct tsl_slice value)
{
    start(j, key);
    add(j, (const char *)value.data, value.len);
}

static void number(struct tsl_json *j, uint64_t value)
{
    char s[24];
    add(j, s, (size_t)snprintf(s, sizeof s, "%llu", (unsigned long long)value));
}

void tsl_json_u64(struct tsl_json *j, const char *key, uint64_t value)
{
    start(j, key);
    number(j, value);
}

void tsl_json_entry(struct tsl_json *j, struct tsl_slice name, uint64_t value)
{
    next(j);
    quoted(j, name);
    add(j, ": ", 2);
    number(j, value);
}

void tsl_json_num(struct tsl_json *j, const char *key, double value)
{
    char s[40];
    start(j, key);
    if (isfinite(value))
        add(j, s, (size_t)snprintf(s, sizeof s, "%.6g", value));
    else
        add(j, "null", 4);
}

char *tsl_json_shortest(char *to, double value)
{
    if (!isfinite(value))
        return strcpy(to, "null");
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(to, TSL_JSON_NUMBER, "%.*g", digits, value);
        if (strtod(to, NULL) == value)
            break;
    }
    return to;
}

void tsl_json_exact(struct tsl_json *j, const char *key, double value)
{
    char s[TSL_JSON_NUMBER];
    start(j, key);
    tsl_json_shortest(s, value);
    add(j, s, strlen(s));
}

void tsl_json_bool(struct tsl_json *j, const char *key, bool value)
{
    start(j, key);
    if (value)
        add(j, "true", 4);
    else
        add(j, "false", 5);
}

void tsl_json_null(struct tsl_json *j, const char *key)
{
    start(j, key);
    add(j, "null", 4);
}

int tsl_json_end(struct tsl_json *j, struct tsl_err *err)
{
    add(j, "\n", 1);
    return j->failed ? tsl_err_nomem(err, j->len, "JSON") : 0;
}

void tsl_json_fini(struct tsl_json *j)
{
    tsl_mem_free(j->text);
    *j = (struct tsl_json){ 0 };
}

/* ---- is it JSON? ---- */

/* What is left. */
struct scan {
    const uint8_t *p, *end;
};

static int peek(struct scan *c)
{
    while (c->p < c->end && memchr(" \t\r\n", *c->p, 4))
        c->p++;
    return c->p < c->end ? *c->p : -1;
}

static bool take(struct scan *c, int want)
{
    bool is = peek(c) == want;
    c->p += is;
    return is;
}

static bool digits(struct scan *c)
{
    const uint8_t *from = c->p;
    while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
        c->p++;
    return c->p > from;
}

static bool next_is(const struct scan *c, const char *any)
{
    return c->p < c->end && *c->p && strchr(any, *c->p);
}

static bool scan_number(struct scan *c)
{
    c->p += next_is(c, "-");
    bool zero = next_is(c, "0");
    c->p += zero;
    if (!zero && !digits(c))
        return false;
    if (next_is(c, ".") && (c->p++, !digits(c)))
        return false;
    if (!next_is(c, "eE"))
        return true;
    c->p++;
    c->p += next_is(c, "+-");
    return digits(c);
}

static bool scan_string(struct scan *c)
{
    if (!take(c, '"'))
        return false;
    while (c->p < c->end && *c->p >= 0x20 && *c->p != '"') {
        uint32_t cp;
        if (*c->p != '\\') {
            c->p += tsl_utf8_decode(c->p, c->end, &cp);
            if (cp == TSL_UTF8_BAD)
                return false;
            continue;
        }
        c->p++;
        bool hex = next_is(c, "u");
        if (!next_is(c, "\"\\/bfnrtu"))
            return false;
        c->p++;
        for (int i = 0; hex && i < 4; i++, c->p++)
            if (!next_is(c, "0123456789abcdefABCDEF"))
                return false;
    }
    bool ends = c->p < c->end && *c->p == '"';
    c->p += ends;
    return ends;
}

static bool scan_word(struct scan *c, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
        return false;
    c->p += n;
    return true;
}

static bool scan_value(struct scan *c, unsigned depth)
{
    int first = peek(c), close = first == '{' ? '}' : ']';
    switch (first) {
    case '"': return scan_string(c);
    case 't': return scan_word(c, "true");
    case 'f': return scan_word(c, "false");
    case 'n': return scan_word(c, "null");
    case '{':
    case '[': break;
    default: return first >= 0 && scan_number(c);
    }
    c->p++;
    if (depth == 0)
        return false;
    if (take(c, close))
        return true;
    do
        if ((first == '{' && (peek(c) != '"' || !scan_string(c) || !take(c, ':'))) ||
            !scan_value(c, depth - 1))
            return false;
    while (take(c, ','));
    return take(c, close);
}

bool tsl_json_is(struct tsl_slice s)
{
    struct scan c = { s.data, s.data + s.len };
    return s.len && scan_value(&c, 2048) && peek(&c) < 0;
}
