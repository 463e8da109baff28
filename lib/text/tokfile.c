#include "text/tokfile.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "io/source.h"
#include "text/vocab.h"

enum { READ_BYTES = 1 << 20, WINDOW_BYTES = 128 << 20, FILE_BYTES_MAX = 1 << 30 };

int tsl_tokfile_read(uint8_t **data, size_t *len, const char *path, struct tsl_err *err)
{
    struct tsl_source s;
    uint8_t *p = NULL;
    size_t n = 0, cap = 0;
    int64_t got;
    int rc = tsl_source_open(&s, path, WINDOW_BYTES, err);
    if (rc < 0)
        return rc;
    do {
        if (n > FILE_BYTES_MAX) {
            got = tsl_err_set(err, TSL_EFORMAT,
                              "%s: larger than 1 GiB: not a vocabulary file",
                              tsl_quote(path).s);
            break;
        }
        got = tsl_mem_grow(&p, &cap, n + READ_BYTES, 1, "a vocabulary file", err);
        if (got == 0)
            got = tsl_source_read(&s, p + n, cap - n, err);
        if (got > 0)
            n += (size_t)got;
    } while (got > 0);
    rc = tsl_source_close(&s, got < 0 ? NULL : err);
    if (got < 0)
        rc = (int)got;
    if (rc < 0) {
        tsl_mem_free(p);
        return rc;
    }
    *data = p;
    *len = n;
    return 0;
}

bool tsl_tokfile_line(struct tsl_tokfile_lines *l, struct tsl_slice *line)
{
    if (!l->rest.len)
        return false;
    const uint8_t *p = l->rest.data, *nl = memchr(p, '\n', l->rest.len);
    size_t n = nl ? (size_t)(nl - p) : l->rest.len, used = nl ? n + 1 : n;
    *line = (struct tsl_slice){ p, n };
    l->rest = (struct tsl_slice){ p + used, l->rest.len - used };
    l->number++;
    return true;
}

struct tsl_quoted tsl_tokfile_quote(struct tsl_slice s)
{
    char text[64];
    size_t n = s.len < sizeof text ? s.len : sizeof text - 4;
    if (n)
        memcpy(text, s.data, n);
    strcpy(text + n, s.len < sizeof text ? "" : "...");
    return tsl_quote(text);
}

size_t tsl_tokfile_utf8_end(struct tsl_slice s)
{
    size_t i = 0;
    while (i < s.len) {
        uint32_t cp;
        size_t n = tsl_utf8_decode(s.data + i, s.data + s.len, &cp);
        if (cp == TSL_UTF8_BAD)
            break;
        i += n;
    }
    return i;
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int64_t tsl_tokfile_base64(struct tsl_slice s, uint8_t *out)
{
    size_t n = 0, digits = s.len;
    uint32_t bits = 0;
    if (!s.len || s.len % 4)
        return -1;
    while (digits > s.len - 2 && s.data[digits - 1] == '=')
        digits--;
    for (size_t i = 0; i < digits; i++) {
        int d = base64_digit(s.data[i]);
        if (d < 0)
            return -1;
        bits = bits << 6 | (uint32_t)d;
        if (i % 4)
            out[n++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    return (int64_t)n;
}

void tsl_tokfile_merges_fini(struct tsl_tokfile_merges *m)
{
    tsl_mem_free(m->list);
    *m = (struct tsl_tokfile_merges){ 0 };
}

int tsl_tokfile_merges_add(struct tsl_tokfile_merges *m, const struct tsl_vocab *v,
                           struct tsl_slice left, struct tsl_slice right, size_t skip,
                           const char *where, struct tsl_err *err)
{
    uint8_t small[256], *both = small;
    size_t cut = skip < right.len ? skip : right.len;
    int64_t a = tsl_vocab_find(v, left), b = tsl_vocab_find(v, right), ab;
    if (a < 0 || b < 0)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: the merge's part %s is not in the vocabulary", where,
                           tsl_tokfile_quote(a < 0 ? left : right).s);
    struct tsl_slice s = { both, left.len + right.len - cut };
    if (s.len > sizeof small) {
        both = tsl_mem_alloc(s.len, 1, "a merge", err);
        if (!both)
            return TSL_ENOMEM;
        s.data = both;
    }
    if (left.len)
        memcpy(both, left.data, left.len);
    if (right.len > cut)
        memcpy(both + left.len, right.data + cut, right.len - cut);
    ab = tsl_vocab_find(v, s);
    int rc = 0;
    if (ab < 0)
        rc = tsl_err_set(err, TSL_EFORMAT,
                         "%s: the merge's result %s is not in the vocabulary", where,
                         tsl_tokfile_quote(s).s);
    if (rc == 0)
        rc = tsl_mem_grow(&m->list, &m->cap, m->n + 1, sizeof *m->list, "merges", err);
    if (rc == 0)
        m->list[m->n++] =
            (struct tsl_tokfile_merge){ (uint32_t)a, (uint32_t)b, (uint32_t)ab };
    if (both != small)
        tsl_mem_free(both);
    return rc;
}

int tsl_tokfile_put(struct tsl_tokfile_out *f, const void *p, size_t n,
                    struct tsl_err *err)
{
    int rc =
        tsl_mem_grow(&f->bytes, &f->cap, f->len + n + 1, 1, "a vocabulary file", err);
    if (rc < 0)
        return rc;
    if (n)
        memcpy(f->bytes + f->len, p, n);
    f->len += n;
    return 0;
}

void tsl_tokfile_out_fini(struct tsl_tokfile_out *f)
{
    tsl_mem_free(f->bytes);
    *f = (struct tsl_tokfile_out){ 0 };
}
