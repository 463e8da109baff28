#include "record/tar.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/quote.h"

/* Where a header's fields lie. */
enum {
    NAME = 0,
    NAME_BYTES = 100,
    MODE = 100,
    UID = 108,
    GID = 116,
    SIZE = 124,
    SIZE_BYTES = 12,
    MTIME = 136,
    SUM = 148,
    SUM_BYTES = 8,
    TYPE = 156,
    MAGIC = 257,
    UNAME = 265,
    GNAME = 297,
    DEVMAJOR = 329,
    DEVMINOR = 337,
    PREFIX = 345,
    PREFIX_BYTES = 155
};

/* The bytes of the eight of w, in its four halfwords. */
static uint64_t add_pairs(uint64_t w)
{
    const uint64_t odd = UINT64_C(0x00ff00ff00ff00ff);
    return (w & odd) + (w >> 8 & odd);
}

static unsigned add_four(uint64_t w)
{
    w = (w & 0xffff0000ffff) + (w >> 16 & 0xffff0000ffff);
    return (unsigned)(w + (w >> 32));
}

/* Of all bytes; the sum's own count as spaces. */
static unsigned sum_of(const uint8_t *p)
{
    uint64_t sums = 0; /* four of 128 bytes, below 2^15 each */
    for (int i = 0; i < TSL_TAR_BLOCK; i += 8)
        sums += add_pairs(tsl_load64(p + i));
    return add_four(sums) - add_four(add_pairs(tsl_load64(p + SUM))) + SUM_BYTES * ' ';
}

/* ---- writing ---- */

static void octal(uint8_t *p, int digits, uint64_t v)
{
    for (int i = digits - 1; i >= 0; i--, v >>= 3)
        p[i] = (uint8_t)('0' + (v & 7));
}

/* Where a name is cut in two: the slash; 0: not at all; -1: it does not fit. */
static int cut_name(const char *name)
{
    size_t n = strlen(name);
    if (n <= NAME_BYTES)
        return 0;
    for (size_t i = n - NAME_BYTES - 1; i < n && i <= PREFIX_BYTES; i++)
        if (name[i] == '/' && i)
            return (int)i;
    return -1;
}

int tsl_tar_head(uint8_t p[TSL_TAR_BLOCK], const char *name, uint64_t n,
                 struct tsl_err *err)
{
    int cut = cut_name(name);
    if (cut < 0 || n >> 33)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: a name or a size (%" PRIu64 ") that ustar cannot hold",
                           tsl_quote(name).s, n);
    memset(p, 0, TSL_TAR_BLOCK);
    if (cut)
        memcpy(p + PREFIX, name, (size_t)cut);
    const char *last = cut ? name + cut + 1 : name;
    memcpy(p + NAME, last, strlen(last));
    octal(p + MODE, 7, 0444);
    octal(p + UID, 7, 0);
    octal(p + GID, 7, 0);
    octal(p + SIZE, 11, n);
    octal(p + MTIME, 11, 0);
    p[TYPE] = '0';
    memcpy(p + MAGIC,
           "ustar\0"
           "00",
           8);
    memcpy(p + UNAME, "bigdata", 7);
    memcpy(p + GNAME, "bigdata", 7);
    octal(p + DEVMAJOR, 7, 0);
    octal(p + DEVMINOR, 7, 0);
    octal(p + SUM, 6, sum_of(p));
    p[SUM + 7] = ' ';
    return 0;
}

/* ---- reading ---- */

/* An octal number, or GNU's binary one; -1: neither. */
static int64_t number(const uint8_t *p, int n)
{
    int64_t v = 0;
    if (*p == 0x80) {
        for (int i = 1; i < n; i++) {
            if (v >> 54)
                return -1;
            v = v << 8 | p[i];
        }
        return v;
    }
    int i = 0;
    while (i < n && p[i] == ' ')
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
        v = v << 3 | (p[i] - '0');
    return i == n || p[i] == 0 || p[i] == ' ' ? v : -1;
}

static bool is_head(const uint8_t *p)
{
    return number(p + SUM, SUM_BYTES) == (int64_t)sum_of(p);
}

bool tsl_tar_is(const uint8_t *p, size_t n)
{
    return n >= TSL_TAR_BLOCK && p[0] && is_head(p);
}

static int bad(const struct tsl_tar *t, const char *what, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: header at byte %" PRIu64 ": %s",
                       t->src.file.name, t->at, what);
}

static int block(struct tsl_tar *t, uint8_t *p, struct tsl_err *err)
{
    int64_t got = tsl_source_read(&t->src, p, TSL_TAR_BLOCK, err);
    if (got < 0)
        return (int)got;
    if (got && got < TSL_TAR_BLOCK)
        return bad(t, "the archive ends in it", err);
    return got > 0;
}

static bool all_zero(const uint8_t *p)
{
    for (int i = 0; i < TSL_TAR_BLOCK; i++)
        if (p[i])
            return false;
    return true;
}

/* n bytes of the archive; at moves behind them and their padding. */
static int body(struct tsl_tar *t, uint8_t *p, uint64_t n, struct tsl_err *err)
{
    uint8_t pad[TSL_TAR_BLOCK];
    int64_t got = tsl_source_read(&t->src, p, (size_t)n, err);
    if (got >= 0 && (uint64_t)got == n) {
        n = tsl_tar_padding(n);
        got = tsl_source_read(&t->src, pad, (size_t)n, err);
    }
    if (got < 0)
        return (int)got;
    if ((uint64_t)got != n)
        return tsl_err_set(err, TSL_EFORMAT, "%s: the archive ends in %s",
                           t->src.file.name, tsl_quote(t->name).s);
    return 0;
}

/* pax's records "LEN path=NAME\n" and "LEN size=N\n". */
static int read_pax(struct tsl_tar *t, const char *p, uint64_t n, uint64_t *size,
                    bool *sized, struct tsl_err *err)
{
    const char *end = p + n;
    while (p < end && *p) {
        char *key;
        unsigned long len = strtoul(p, &key, 10);
        if (key == p || *key != ' ' || len > (size_t)(end - p) || p + len <= key + 1 ||
            p[len - 1] != '\n')
            return bad(t, "its extended header is damaged", err);
        key++;
        size_t left = (size_t)(p + len - 1 - key);
        if (left > 5 && memcmp(key, "path=", 5) == 0) {
            if (left - 5 >= sizeof t->name || memchr(key + 5, 0, left - 5))
                return bad(t, "a name of more than 4095 bytes", err);
            memcpy(t->name, key + 5, left - 5);
            t->name[left - 5] = 0;
        } else if (left > 5 && memcmp(key, "size=", 5) == 0) {
            *size = strtoull(key + 5, NULL, 10);
            *sized = true;
        }
        p += len;
    }
    return 0;
}

/* A header that describes the next one: pax's x, GNU's L. */
static int read_long(struct tsl_tar *t, uint8_t type, uint64_t n, uint64_t *size,
                     bool *sized, struct tsl_err *err)
{
    uint8_t text[2 * TSL_TAR_NAME_MAX + 1];
    if (n >= sizeof text)
        return bad(t, "an extended header of more than 8 KiB", err);
    int rc = body(t, text, n, err);
    if (rc < 0)
        return rc;
    text[n] = 0;
    if (type == 'x')
        return read_pax(t, (const char *)text, n, size, sized, err);
    if (n > sizeof t->name)
        return bad(t, "a name of more than 4095 bytes", err);
    memcpy(t->name, text, n);
    t->name[n ? n - 1 : 0] = 0;
    return 0;
}

static void short_name(struct tsl_tar *t, const uint8_t *p)
{
    bool prefixed = memcmp(p + MAGIC, "ustar\0", 6) == 0 && p[PREFIX];
    snprintf(t->name, sizeof t->name, "%.*s%s%.*s", prefixed ? PREFIX_BYTES : 0,
             (const char *)p + PREFIX, prefixed ? "/" : "", NAME_BYTES,
             (const char *)p + NAME);
}

static bool leads_out(const char *name)
{
    if (name[0] == '/')
        return true;
    for (const char *p = name; (p = strstr(p, "..")); p += 2)
        if ((p == name || p[-1] == '/') && (p[2] == 0 || p[2] == '/'))
            return true;
    return false;
}

static int skip(struct tsl_tar *t, uint64_t n, struct tsl_err *err)
{
    uint8_t waste[8 * TSL_TAR_BLOCK];
    for (n += tsl_tar_padding(n); n;) {
        size_t take = n < sizeof waste ? (size_t)n : sizeof waste;
        int64_t got = tsl_source_read(&t->src, waste, take, err);
        if (got < 0)
            return (int)got;
        if ((size_t)got != take)
            return bad(t, "the archive ends behind it", err);
        n -= take;
    }
    return 0;
}

int tsl_tar_next(struct tsl_tar *t, struct tsl_err *err)
{
    uint8_t p[TSL_TAR_BLOCK];
    bool named = false, sized = false;
    uint64_t size = 0;
    for (;;) {
        int rc = t->ended ? 0 : block(t, p, err);
        if (rc < 0)
            return rc;
        if (rc == 0 || all_zero(p)) { /* two of zeros end it; one, or none, is seen too */
            t->ended = true;
            return 0;
        }
        if (!is_head(p))
            return bad(t, "its checksum does not fit", err);
        int64_t n = number(p + SIZE, SIZE_BYTES);
        if (n < 0)
            return bad(t, "its size is no number", err);
        uint8_t type = p[TYPE];
        if (type == 'x' || type == 'L') {
            uint64_t none;
            bool no;
            named |= type == 'L';
            t->name[0] = 0;
            rc = read_long(t, type, (uint64_t)n, type == 'x' ? &size : &none,
                           type == 'x' ? &sized : &no, err);
            named |= t->name[0] != 0;
        } else if (type == '0' || type == 0 || type == '7') {
            if (!named)
                short_name(t, p);
            t->size = sized ? size : (uint64_t)n;
            if (leads_out(t->name))
                return bad(t, "a name that leads out of the folder", err);
            t->at += TSL_TAR_BLOCK;
            return 1;
        } else { /* folders, links, global headers: nothing of ours */
            named = sized = false;
            rc = skip(t, (uint64_t)n, err);
        }
        if (rc < 0)
            return rc;
        t->at += TSL_TAR_BLOCK + (uint64_t)n + tsl_tar_padding((uint64_t)n);
    }
}

int tsl_tar_read(struct tsl_tar *t, uint8_t *p, struct tsl_err *err)
{
    int rc = body(t, p, t->size, err);
    t->at += t->size + tsl_tar_padding(t->size);
    return rc;
}
