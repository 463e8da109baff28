#include "text/jsonl.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/mem.h"
#include "base/quote.h"
#include "base/utf8.h"

int tsl_jsonl_path_init(struct tsl_jsonl_path *p, const char *spec, char *storage,
                        struct tsl_err *err)
{
    char *to = storage, *begin = storage;
    p->spec = spec;
    p->nkeys = 0;
    for (const char *s = spec;; s++) {
        if (*s == '\\' && s[1] == '.') {
            *to++ = *++s;
        } else if (*s == '.' || !*s) {
            if (to == begin)
                return tsl_err_set(err, TSL_EUSAGE, "field %s: an empty name in it",
                                   tsl_quote(spec).s);
            if (p->nkeys == TSL_JSONL_KEYS)
                return tsl_err_set(err, TSL_EUSAGE, "field %s: more than %d names deep",
                                   tsl_quote(spec).s, TSL_JSONL_KEYS);
            p->keys[p->nkeys++] =
                (struct tsl_slice){ (const uint8_t *)begin, (size_t)(to - begin) };
            begin = to;
            if (!*s)
                return 0;
        } else {
            *to++ = *s;
        }
    }
}

struct scan {
    const uint8_t *begin, *at, *end;
    struct tsl_err *err;
};

static int bad(const struct scan *s, const uint8_t *where, const char *why)
{
    return tsl_err_set(s->err, TSL_EFORMAT, "column %zu: %s",
                       (size_t)(where - s->begin) + 1, why);
}

static void skip_blank(struct scan *s)
{
    while (s->at < s->end &&
           (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

/* ---- strings ---- */

/* Moves over bytes that stand for themselves and need no look: ASCII but controls, quotes
 * and backslashes. */
static const uint8_t *plain(const uint8_t *p, const uint8_t *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'),
                  blank = _mm_set1_epi8(' ');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* signed: bytes from 0x80 on are below the blank, too */
        __m128i stop =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)),
                         _mm_cmplt_epi8(v, blank));
        unsigned hits = (unsigned)_mm_movemask_epi8(stop);
        if (hits)
            return p + __builtin_ctz(hits);
    }
#endif
    while (p < end && *p >= ' ' && *p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

static int hex4(const uint8_t *p, const uint8_t *end, uint32_t *out)
{
    uint32_t v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i], d = c & 0xdf;
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if (d >= 'A' && d <= 'F')
            v = v << 4 | (uint32_t)(d - 'A' + 10);
        else
            return -1;
    }
    *out = v;
    return 0;
}

/* The code point of the escape \uXXXX at p (its backslash), perhaps of two; the bytes it
 * takes, 0 when it is none. */
static size_t unicode_escape(const uint8_t *p, const uint8_t *end, uint32_t *cp)
{
    uint32_t low;
    if (hex4(p + 2, end, cp) < 0)
        return 0;
    if (*cp < 0xd800 || *cp > 0xdfff)
        return 6;
    if (*cp > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u' ||
        hex4(p + 8, end, &low) < 0 || low < 0xdc00 || low > 0xdfff)
        return 0;
    *cp = 0x10000 + ((*cp - 0xd800) << 10) + (low - 0xdc00);
    return 12;
}

/* At the quote that opens a string; behind the one that closes it afterwards. */
static int scan_string(struct scan *s, struct tsl_slice *raw, bool *escaped)
{
    const uint8_t *p = s->at + 1, *open = p;
    *escaped = false;
    for (;;) {
        p = plain(p, s->end);
        if (p >= s->end)
            return bad(s, s->end, "the line ends inside a string");
        if (*p == '"')
            break;
        uint32_t cp;
        if (*p >= 0x80) {
            size_t n = tsl_utf8_decode(p, s->end, &cp);
            if (cp == TSL_UTF8_BAD)
                return bad(s, p, "bytes that are not UTF-8");
            p += n;
        } else if (*p != '\\') {
            return bad(s, p, "a control character inside a string");
        } else {
            *escaped = true;
            if (p + 1 >= s->end)
                return bad(s, s->end, "the line ends inside a string");
            if (p[1] == 'u') {
                size_t n = unicode_escape(p, s->end, &cp);
                if (n == 0)
                    return bad(s, p,
                               "an escape \\u without four hex digits, or half of "
                               "a surrogate pair");
                p += n;
            } else if (p[1] && strchr("\"\\/bfnrt", p[1])) {
                p += 2;
            } else {
                return bad(s, p, "an escape that JSON does not have");
            }
        }
    }
    *raw = (struct tsl_slice){ open, (size_t)(p - open) };
    s->at = p + 1;
    return 0;
}

size_t tsl_jsonl_decode(struct tsl_slice raw, uint8_t *out)
{
    static const uint8_t meaning[256] = {
        ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
        ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'
    };
    const uint8_t *p = raw.data, *end = p + raw.len;
    uint8_t *to = out;
    while (p < end) {
        const uint8_t *slash = memchr(p, '\\', (size_t)(end - p));
        size_t n = (size_t)((slash ? slash : end) - p);
        memmove(to, p, n);
        to += n;
        p += n;
        if (!slash)
            break;
        if (p[1] == 'u') {
            uint32_t cp = 0;
            p += unicode_escape(p, end, &cp);
            to += tsl_utf8_encode(to, cp); /* at most 4 bytes for 6 or 12 */
        } else {
            *to++ = meaning[p[1]];
            p += 2;
        }
    }
    return (size_t)(to - out);
}

/* Does a key, as it stands in the line, spell want? */
static bool spells(struct tsl_slice raw, bool escaped, struct tsl_slice want)
{
    if (!escaped)
        return raw.len == want.len && memcmp(raw.data, want.data, raw.len) == 0;
    const uint8_t *p = raw.data, *end = p + raw.len;
    size_t at = 0;
    while (p < end) {
        uint8_t c[4];
        uint8_t piece[12];
        size_t n = 1, k = 1;
        c[0] = *p;
        if (*p == '\\') {
            n = p[1] != 'u' ? 2 : 6;
            if (n == 6) {
                uint32_t cp;
                n = unicode_escape(p, end, &cp);
            }
            memcpy(piece, p, n);
            k = tsl_jsonl_decode((struct tsl_slice){ piece, n }, c);
        }
        if (want.len - at < k || memcmp(want.data + at, c, k) != 0)
            return false;
        at += k;
        p += n;
    }
    return at == want.len;
}

/* ---- numbers and literals ---- */

static bool digit(const struct scan *s)
{
    return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

/* Digits of one number beyond which strtod is asked whether it is finite. */
enum { SURELY_FINITE = 300 };

static int scan_number(struct scan *s, struct tsl_slice *raw)
{
    const uint8_t *open = s->at;
    bool negative = *s->at == '-', real = false, over = false;
    uint64_t v = 0;
    if (negative)
        s->at++;
    if (!digit(s))
        return bad(s, open, "a number without digits");
    if (*s->at == '0') {
        s->at++;
        if (digit(s))
            return bad(s, open, "a number that begins with 0");
    }
    for (; digit(s); s->at++) {
        unsigned d = *s->at - '0';
        over |= v > (UINT64_MAX - d) / 10;
        v = 10 * v + d;
    }
    size_t whole = (size_t)(s->at - open), exponent = 0;
    if (s->at < s->end && *s->at == '.') {
        real = true;
        s->at++;
        if (!digit(s))
            return bad(s, open, "a number without digits behind its point");
        while (digit(s))
            s->at++;
    }
    if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
        real = true;
        s->at++;
        bool minus = s->at < s->end && *s->at == '-';
        if (s->at < s->end && (*s->at == '-' || *s->at == '+'))
            s->at++;
        if (!digit(s))
            return bad(s, open, "a number without digits in its exponent");
        for (; digit(s); s->at++)
            if (exponent < SURELY_FINITE)
                exponent = 10 * exponent + (*s->at - '0');
        if (minus)
            exponent = 0;
    }
    *raw = (struct tsl_slice){ open, (size_t)(s->at - open) };
    if (!real) {
        if (over || v > (uint64_t)INT64_MAX + negative)
            return bad(s, open, "a whole number that takes more than 64 bits");
    } else if (whole + exponent >= SURELY_FINITE) {
        char *copy = tsl_mem_alloc(raw->len + 1, 1, "a number", s->err);
        if (!copy)
            return TSL_ENOMEM;
        memcpy(copy, open, raw->len);
        double x = strtod(copy, NULL);
        tsl_mem_free(copy);
        if (!isfinite(x))
            return bad(s, open, "a number too large for a double");
    }
    return 0;
}

static int scan_literal(struct scan *s, struct tsl_slice *raw)
{
    static const char *const known[] = { "true", "false", "null" };
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(known[i]);
        if ((size_t)(s->end - s->at) >= n && memcmp(s->at, known[i], n) == 0) {
            const uint8_t *next = s->at + n;
            if (next < s->end && (*next | 0x20) >= 'a' && (*next | 0x20) <= 'z')
                break;
            *raw = (struct tsl_slice){ s->at, n };
            s->at = next;
            return 0;
        }
    }
    return bad(s, s->at,
               s->at < s->end ? "no JSON value begins like this"
                              : "the line ends where a value should be");
}

/* ---- the line ---- */

struct find {
    struct scan s;
    const struct tsl_jsonl_path *paths;
    size_t npaths;
    struct tsl_jsonl_value *values;
    /* Of path k: how many of its keys lead to the object at depth[k] + 1 that is open;
     * whether the value that comes is the field, or on the way to it; the depth of the
     * field's own brackets while they are open. */
    size_t depth[TSL_JSONL_PATHS], open[TSL_JSONL_PATHS];
    bool field[TSL_JSONL_PATHS], way[TSL_JSONL_PATHS];
    uint64_t object[TSL_JSONL_DEPTH / 64 + 1]; /* a bit a level: { or [ */
    size_t level;                              /* brackets open */
};

static bool in_object(const struct find *f)
{
    return f->object[f->level / 64] >> (f->level % 64) & 1;
}

/* A key was read in the innermost object. */
static void on_key(struct find *f, struct tsl_slice raw, bool escaped)
{
    for (size_t k = 0; k < f->npaths; k++) {
        const struct tsl_jsonl_path *p = &f->paths[k];
        size_t d = f->level;
        if (f->depth[k] != d - 1 || d > p->nkeys || !spells(raw, escaped, p->keys[d - 1]))
            continue;
        f->values[k] = (struct tsl_jsonl_value){ TSL_JSONL_NONE, { NULL, 0 }, false };
        f->field[k] = d == p->nkeys;
        f->way[k] = !f->field[k];
    }
}

static void on_value(struct find *f, enum tsl_jsonl_kind kind, struct tsl_slice raw,
                     bool escaped)
{
    for (size_t k = 0; k < f->npaths; k++) {
        if (f->field[k])
            f->values[k] = (struct tsl_jsonl_value){ kind, raw, escaped };
        f->field[k] = f->way[k] = false;
    }
}

static int on_open(struct find *f, bool object)
{
    struct scan *s = &f->s;
    if (f->level == TSL_JSONL_DEPTH)
        return bad(s, s->at, "more than 2048 values inside each other");
    f->level++;
    uint64_t bit = (uint64_t)1 << (f->level % 64);
    if (object)
        f->object[f->level / 64] |= bit;
    else
        f->object[f->level / 64] &= ~bit;
    for (size_t k = 0; k < f->npaths; k++) {
        if (f->field[k]) {
            f->values[k] = (struct tsl_jsonl_value){
                object ? TSL_JSONL_OBJECT : TSL_JSONL_ARRAY, { s->at, 0 }, false
            };
            f->open[k] = f->level;
        } else if (f->way[k] && object) {
            f->depth[k] = f->level - 1;
        }
        f->field[k] = f->way[k] = false;
    }
    s->at++;
    return 0;
}

static void on_close(struct find *f)
{
    struct scan *s = &f->s;
    s->at++;
    for (size_t k = 0; k < f->npaths; k++) {
        if (f->open[k] == f->level) {
            f->values[k].raw.len = (size_t)(s->at - f->values[k].raw.data);
            f->open[k] = 0;
        }
        if (f->depth[k] + 1 == f->level && f->level > 1)
            f->depth[k]--;
    }
    f->level--;
}

static int read_key(struct find *f)
{
    struct scan *s = &f->s;
    struct tsl_slice raw;
    bool escaped;
    skip_blank(s);
    if (s->at >= s->end)
        return bad(s, s->end, "the line ends inside an object");
    if (*s->at != '"')
        return bad(s, s->at, "a key in quotes should be here");
    int rc = scan_string(s, &raw, &escaped);
    if (rc < 0)
        return rc;
    on_key(f, raw, escaped);
    skip_blank(s);
    if (s->at >= s->end || *s->at != ':')
        return bad(s, s->at, "a colon should be here");
    s->at++;
    return 0;
}

/* One value that has no parts, or the bracket that opens one.  *opened tells. */
static int read_value(struct find *f, bool *opened)
{
    struct scan *s = &f->s;
    struct tsl_slice raw;
    bool escaped = false;
    enum tsl_jsonl_kind kind;
    int rc;
    skip_blank(s);
    uint8_t c = s->at < s->end ? *s->at : 0;
    *opened = c == '{' || c == '[';
    if (*opened)
        return on_open(f, c == '{');
    if (f->level == TSL_JSONL_DEPTH)
        return bad(s, s->at, "more than 2048 values inside each other");
    if (c == '"') {
        kind = TSL_JSONL_STRING;
        rc = scan_string(s, &raw, &escaped);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        kind = TSL_JSONL_NUMBER;
        rc = scan_number(s, &raw);
    } else {
        kind = TSL_JSONL_LITERAL;
        rc = scan_literal(s, &raw);
    }
    if (rc == 0)
        on_value(f, kind, raw, escaped);
    return rc;
}

int tsl_jsonl_find(struct tsl_slice line, const struct tsl_jsonl_path *paths,
                   size_t npaths, struct tsl_jsonl_value *values, struct tsl_err *err)
{
    struct find f;
    f.s = (struct scan){ line.data, line.data, line.data + line.len, err };
    f.paths = paths;
    f.npaths = npaths;
    f.values = values;
    f.level = 0;
    for (size_t k = 0; k < npaths; k++) {
        values[k] = (struct tsl_jsonl_value){ TSL_JSONL_NONE, { NULL, 0 }, false };
        f.depth[k] = f.open[k] = 0;
        f.field[k] = f.way[k] = false;
    }
    struct scan *s = &f.s;
    bool opened;
    skip_blank(s);
    if (s->at >= s->end)
        return bad(s, s->at, "the line is empty: an object should be here");
    if (*s->at != '{' && *s->at != '[')
        return bad(s, s->at, "an object should begin here");
    int rc = on_open(&f, *s->at == '{');
    opened = true;
    while (rc == 0 && f.level > 0) {
        bool object = in_object(&f);
        uint8_t close = object ? '}' : ']';
        skip_blank(s);
        if (s->at >= s->end)
            return bad(s, s->at,
                       object ? "the line ends inside an object"
                              : "the line ends inside an array");
        if (*s->at == close) {
            on_close(&f);
            opened = false;
            continue;
        }
        if (!opened) {
            if (*s->at != ',')
                return bad(s, s->at, "a comma or a closing bracket should be here");
            s->at++;
        }
        if (object)
            rc = read_key(&f);
        if (rc == 0)
            rc = read_value(&f, &opened);
    }
    if (rc < 0)
        return rc;
    skip_blank(s);
    return s->at == s->end ? 0 : bad(s, s->at, "more behind the end of the value");
}

/* ---- numbers of a value ---- */

bool tsl_jsonl_u64(const struct tsl_jsonl_value *v, uint64_t most, uint64_t *out)
{
    uint64_t n = 0;
    if (v->kind != TSL_JSONL_NUMBER || v->raw.len > 19)
        return false;
    for (size_t i = 0; i < v->raw.len; i++) {
        uint8_t c = v->raw.data[i];
        if (c < '0' || c > '9')
            return false;
        n = 10 * n + (uint64_t)(c - '0');
    }
    if (n > most)
        return false;
    *out = n;
    return true;
}

int tsl_jsonl_item(struct tsl_slice array, size_t *at, uint64_t most, uint64_t *out,
                   struct tsl_err *err)
{
    const uint8_t *p = array.data;
    size_t i = *at;
    while (i < array.len && strchr(i ? ", \t\r\n" : "[", p[i]))
        i++;
    if (i >= array.len || p[i] == ']') {
        *at = array.len;
        return 0;
    }
    size_t begin = i;
    uint64_t n = 0;
    for (; i < array.len && p[i] >= '0' && p[i] <= '9'; i++) {
        n = 10 * n + (uint64_t)(p[i] - '0');
        if (i - begin > 18 || n > most)
            return tsl_err_set(err, TSL_EFORMAT, "item at byte %zu is more than %" PRIu64,
                               begin, most);
    }
    if (i == begin || (i < array.len && !strchr(",] \t\r\n", p[i])))
        return tsl_err_set(err, TSL_EFORMAT, "item at byte %zu is no whole number",
                           begin);
    *at = i;
    *out = n;
    return 1;
}
