#include "record/npyhead.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "base/quote.h"

enum { MAGIC = 6, FRONT1 = 10, FRONT2 = 12 };

static const char magic[] = "\x93NUMPY";

static const struct {
    char name[4];
    enum tsl_dtype type;
} types[] = {
    { "u1", TSL_U8 },  { "i1", TSL_I8 },  { "u2", TSL_U16 }, { "i2", TSL_I16 },
    { "u4", TSL_U32 }, { "i4", TSL_I32 }, { "u8", TSL_U64 }, { "i8", TSL_I64 },
    { "f2", TSL_F16 }, { "f4", TSL_F32 }, { "f8", TSL_F64 }, { "b1", TSL_BIT }
};
enum { NTYPES = sizeof types / sizeof types[0] };

int tsl_npyhead_measure(const uint8_t *p, size_t n, size_t *bytes, const char *name,
                        struct tsl_err *err)
{
    if (n < FRONT2 || memcmp(p, magic, MAGIC) != 0)
        return tsl_err_set(err, TSL_EFORMAT, "%s: no .npy file", tsl_quote(name).s);
    if (p[6] < 1 || p[6] > 3 || p[7] != 0)
        return tsl_err_set(err, TSL_EFORMAT, "%s: .npy of version %u.%u, not 1.0 to 3.0",
                           tsl_quote(name).s, p[6], p[7]);
    *bytes = p[6] == 1 ? FRONT1 + (p[8] | (size_t)p[9] << 8)
                       : FRONT2 + (size_t)tsl_load32(p + 8);
    if (*bytes > TSL_NPY_HEAD_MAX)
        return tsl_err_set(err, TSL_EFORMAT, "%s: a .npy head of %zu bytes",
                           tsl_quote(name).s, *bytes);
    return 0;
}

/* A dictionary of Python literals, as far as numpy writes one. */
struct text {
    const char *at, *end, *start;
    const char *name;
};

static int bad(const struct text *t, const char *what, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: .npy head, byte %td: %s",
                       tsl_quote(t->name).s, t->at - t->start, what);
}

static void blanks(struct text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n'))
        t->at++;
}

static bool take(struct text *t, char c)
{
    blanks(t);
    if (t->at == t->end || *t->at != c)
        return false;
    t->at++;
    return true;
}

/* A quoted string without escapes. */
static bool string(struct text *t, char *to, size_t cap)
{
    blanks(t);
    char quote = t->at < t->end ? *t->at : 0;
    if (quote != '\'' && quote != '"')
        return false;
    const char *from = t->at + 1, *close = memchr(from, quote, (size_t)(t->end - from));
    if (!close || (size_t)(close - from) >= cap)
        return false;
    memcpy(to, from, (size_t)(close - from));
    to[close - from] = 0;
    t->at = close + 1;
    return true;
}

static bool word(struct text *t, const char *w)
{
    size_t n = strlen(w);
    blanks(t);
    if ((size_t)(t->end - t->at) < n || memcmp(t->at, w, n) != 0)
        return false;
    t->at += n;
    return true;
}

static int read_type(struct text *t, struct tsl_npyhead *h, struct tsl_err *err)
{
    char name[16];
    blanks(t);
    if (t->at < t->end && *t->at == '[')
        return bad(t, "structured arrays are not read", err);
    if (!string(t, name, sizeof name))
        return bad(t, "a type was expected", err);
    for (size_t i = 0; i < NTYPES; i++)
        if (strcmp(name + 1, types[i].name) == 0 && strchr("<>|=", name[0])) {
            h->type = types[i].type;
            h->swapped = name[0] == '>';
            return 0;
        }
    return tsl_err_set(err, TSL_EFORMAT, "%s: .npy of type %s, which is no number",
                       tsl_quote(t->name).s, tsl_quote(name).s);
}

static int read_shape(struct text *t, struct tsl_npyhead *h, struct tsl_err *err)
{
    if (!take(t, '('))
        return bad(t, "a shape was expected", err);
    h->count = 1;
    while (!take(t, ')')) {
        uint64_t d = 0;
        blanks(t);
        const char *from = t->at;
        for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++)
            if (__builtin_mul_overflow(d, (uint64_t)10, &d) ||
                __builtin_add_overflow(d, (uint64_t)(*t->at - '0'), &d))
                return bad(t, "a dimension that is too large", err);
        if (t->at == from || h->ndims == TSL_NPY_DIMS_MAX)
            return bad(t, "a dimension was expected", err);
        h->dims[h->ndims++] = d;
        if (__builtin_mul_overflow(h->count, d, &h->count) || h->count > INT64_MAX / 8)
            return bad(t, "a shape of more values than a file can hold", err);
        take(t, ',');
    }
    return 0;
}

int tsl_npyhead_read(struct tsl_npyhead *h, const uint8_t *p, size_t n, const char *name,
                     struct tsl_err *err)
{
    size_t bytes;
    unsigned seen = 0;
    int rc = tsl_npyhead_measure(p, n, &bytes, name, err);
    if (rc < 0)
        return rc;
    assert(bytes <= n);
    *h = (struct tsl_npyhead){ .bytes = bytes };
    const char *from = (const char *)p;
    struct text t = { from + (p[6] == 1 ? FRONT1 : FRONT2), from + bytes, from, name };
    if (!take(&t, '{'))
        return bad(&t, "a dictionary was expected", err);
    while (rc == 0 && !take(&t, '}')) {
        char key[16];
        if (!string(&t, key, sizeof key) || !take(&t, ':'))
            return bad(&t, "a key was expected", err);
        if (strcmp(key, "descr") == 0) {
            rc = read_type(&t, h, err);
            seen |= 1;
        } else if (strcmp(key, "shape") == 0 && !(seen & 2)) {
            rc = read_shape(&t, h, err);
            seen |= 2;
        } else if (strcmp(key, "fortran_order") == 0) {
            h->fortran = word(&t, "True");
            if (!h->fortran && !word(&t, "False"))
                rc = bad(&t, "True or False was expected", err);
            seen |= 4;
        } else {
            rc = bad(&t, "an unknown key", err);
        }
        if (rc == 0 && !take(&t, ',')) {
            blanks(&t);
            if (t.at == t.end || *t.at != '}')
                rc = bad(&t, "a comma was expected", err);
        }
    }
    if (rc == 0 && seen != 7)
        rc = bad(&t, "descr, fortran_order or shape is missing", err);
    return rc;
}

static char *put_text(char *p, const char *text)
{
    size_t n = strlen(text);
    memcpy(p, text, n);
    return p + n;
}

static char *put_number(char *p, uint64_t v)
{
    char digits[20], *at = digits + sizeof digits;
    do
        *--at = (char)('0' + v % 10);
    while (v /= 10);
    size_t n = (size_t)(digits + sizeof digits - at);
    memcpy(p, at, n);
    return p + n;
}

void tsl_npyhead_write(uint8_t *p, enum tsl_dtype type, unsigned ndims,
                       const uint64_t *dims)
{
    const char *name = NULL;
    for (size_t i = 0; i < NTYPES; i++)
        if (types[i].type == type)
            name = types[i].name;
    assert(name && ndims <= 6);
    memcpy(p, magic, MAGIC);
    p[6] = 1;
    p[7] = 0;
    p[8] = TSL_NPY_HEAD_BYTES - FRONT1;
    p[9] = 0;
    /* by hand: an archive of samples has one for each column of each */
    char text[256], *t;
    memset(text, ' ', TSL_NPY_HEAD_BYTES - FRONT1);
    t = put_text(text, "{'descr': '");
    *t++ = name[1] == '1' ? '|' : '<';
    t = put_text(t, name);
    t = put_text(t, "', 'fortran_order': False, 'shape': (");
    for (unsigned i = 0; i < ndims; i++) {
        t = i ? put_text(t, ", ") : t;
        t = put_number(t, dims[i]);
    }
    t = put_text(t, ndims == 1 ? ",), }" : "), }");
    assert(t - text < TSL_NPY_HEAD_BYTES - FRONT1);
    memcpy(p + FRONT1, text, TSL_NPY_HEAD_BYTES - FRONT1);
    p[TSL_NPY_HEAD_BYTES - 1] = '\n';
}
