#include "record/npz.h"

#include <string.h>

#include "base/endian.h"
#include "io/codec.h"
#include "record/npyhead.h"

enum {
    LOCAL = 30,
    CENTRAL = 46,
    END = 22,
    LOCAL_MAGIC = 0x04034b50,
    CENTRAL_MAGIC = 0x02014b50,
    END_MAGIC = 0x06054b50,
    VERSION = 20,
    DATE_1980 = 0x21, /* the first day that zip can tell */
    SUFFIX = 4        /* ".npy" */
};

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static unsigned get16(const uint8_t *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

static size_t npy_bytes(const struct tsl_column *c, const struct tsl_value *v)
{
    return TSL_NPY_HEAD_BYTES + v->n * tsl_dtype_bytes(c->type);
}

size_t tsl_npz_bytes(const struct tsl_schema *s, const struct tsl_record *rec)
{
    size_t n = END;
    for (size_t i = 0; i < s->ncolumns; i++)
        if (tsl_dtype_bytes(s->columns[i].type))
            n += LOCAL + CENTRAL + 2 * (strlen(s->columns[i].name) + SUFFIX) +
                 npy_bytes(&s->columns[i], &rec->values[i]);
    return n;
}

static void write_npy(uint8_t *p, const struct tsl_column *c, const struct tsl_value *v)
{
    uint64_t dims[TSL_COLUMN_DIMS_MAX] = { v->n };
    unsigned ndims = c->count ? c->ndims : 1;
    for (uint32_t d = 0; c->count && d < c->ndims; d++)
        dims[d] = c->dims[d];
    tsl_npyhead_write(p, c->type, ndims, dims);
    if (v->n)
        memcpy(p + TSL_NPY_HEAD_BYTES, v->data, v->n * tsl_dtype_bytes(c->type));
}

/* What local and central header have in common, from "version needed" on. */
static void put_common(uint8_t *p, uint32_t crc, size_t bytes, size_t name)
{
    put16(p, VERSION);
    put16(p + 8, DATE_1980);
    tsl_store32(p + 10, crc);
    tsl_store32(p + 14, (uint32_t)bytes);
    tsl_store32(p + 18, (uint32_t)bytes);
    put16(p + 22, (unsigned)name);
}

void tsl_npz_write(uint8_t *p, const struct tsl_schema *s, const struct tsl_record *rec)
{
    uint8_t *at = p;
    uint32_t crcs[TSL_COLUMNS_MAX], places[TSL_COLUMNS_MAX];
    unsigned n = 0;
    for (size_t i = 0; i < s->ncolumns; i++) {
        const struct tsl_column *c = &s->columns[i];
        size_t name = strlen(c->name), bytes = npy_bytes(c, &rec->values[i]);
        if (tsl_dtype_bytes(c->type) == 0)
            continue;
        uint8_t *npy = at + LOCAL + name + SUFFIX;
        memset(at, 0, LOCAL);
        memcpy(at + LOCAL, c->name, name);
        memcpy(at + LOCAL + name, ".npy", SUFFIX);
        write_npy(npy, c, &rec->values[i]);
        crcs[i] = tsl_codec_crc32(0, npy, bytes);
        places[i] = (uint32_t)(at - p);
        tsl_store32(at, LOCAL_MAGIC);
        put_common(at + 4, crcs[i], bytes, name + SUFFIX);
        at = npy + bytes;
    }
    uint8_t *directory = at;
    for (size_t i = 0; i < s->ncolumns; i++) {
        const struct tsl_column *c = &s->columns[i];
        size_t name = strlen(c->name);
        if (tsl_dtype_bytes(c->type) == 0)
            continue;
        memset(at, 0, CENTRAL);
        tsl_store32(at, CENTRAL_MAGIC);
        put16(at + 4, VERSION);
        put_common(at + 6, crcs[i], npy_bytes(c, &rec->values[i]), name + SUFFIX);
        tsl_store32(at + 42, places[i]);
        memcpy(at + CENTRAL, c->name, name);
        memcpy(at + CENTRAL + name, ".npy", SUFFIX);
        at += CENTRAL + name + SUFFIX;
        n++;
    }
    memset(at, 0, END);
    tsl_store32(at, END_MAGIC);
    put16(at + 8, n);
    put16(at + 10, n);
    tsl_store32(at + 12, (uint32_t)(at - directory));
    tsl_store32(at + 16, (uint32_t)(directory - p));
}

static int bad(const char *what, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "its .npz: %s", what);
}

/* The data of a member whose local header lies at place. */
static int find_data(struct tsl_slice file, uint32_t place, uint32_t bytes,
                     struct tsl_slice *npy, struct tsl_err *err)
{
    if (place > file.len || file.len - place < LOCAL ||
        tsl_load32(file.data + place) != LOCAL_MAGIC)
        return bad("a member is not where the directory says", err);
    size_t skip = LOCAL + get16(file.data + place + 26) + get16(file.data + place + 28);
    if (file.len - place < skip || file.len - place - skip < bytes)
        return bad("a member ends behind the file", err);
    *npy = (struct tsl_slice){ file.data + place + skip, bytes };
    return 0;
}

int tsl_npz_next(struct tsl_slice file, size_t *at, struct tsl_npz_member *m,
                 struct tsl_err *err)
{
    const uint8_t *end = file.len < END ? NULL : file.data + file.len - END;
    if (!end || tsl_load32(end) != END_MAGIC)
        return bad("no zip without a comment", err);
    size_t bytes = tsl_load32(end + 12), place = tsl_load32(end + 16);
    if (place > file.len - END || bytes > file.len - END - place)
        return bad("its directory lies outside of it", err);
    if (*at == bytes)
        return 0;
    const uint8_t *p = file.data + place + *at;
    if (bytes - *at < CENTRAL || tsl_load32(p) != CENTRAL_MAGIC)
        return bad("its directory is damaged", err);
    size_t name = get16(p + 28), size = CENTRAL + name + get16(p + 30) + get16(p + 32);
    if (bytes - *at < size)
        return bad("its directory is damaged", err);
    if (get16(p + 10) != 0)
        return bad("a compressed member; np.savez writes plain ones", err);
    if (name <= SUFFIX || memcmp(p + CENTRAL + name - SUFFIX, ".npy", SUFFIX) != 0)
        return bad("a member that is no .npy", err);
    int rc = find_data(file, tsl_load32(p + 42), tsl_load32(p + 24), &m->npy, err);
    if (rc == 0 && tsl_codec_crc32(0, m->npy.data, m->npy.len) != tsl_load32(p + 16))
        rc = bad("a member's checksum does not fit", err);
    m->name = (struct tsl_slice){ p + CENTRAL, name - SUFFIX };
    *at += size;
    return rc < 0 ? rc : 1;
}
