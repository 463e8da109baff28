#include "record/recindex.h"

#include <inttypes.h>
#include <string.h>

#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"

const char tsl_recindex_magic[8] = "TSLREC1\n";
static const uint32_t trailer_magic = 0x444e4552; /* "REND" */

enum { HEAD = 16 };

/* ---- the header ---- */

static int check_meta(const char *meta, size_t n, const char *name, int code,
                      struct tsl_err *err)
{
    struct tsl_jsonread *doc = NULL;
    struct tsl_slice text = { (const uint8_t *)meta, n };
    struct tsl_err why = { 0 };
    int rc = tsl_jsonread_parse(&doc, text, "the meta", &why);
    if (rc == 0 && tsl_jsonread_kind(tsl_jsonread_root(doc)) != TSL_JSON_OBJECT)
        rc = tsl_err_set(&why, code, "the meta is %s, but should be an object",
                         tsl_jsonread_kind_name(tsl_jsonread_root(doc)));
    tsl_jsonread_destroy(doc);
    return rc < 0
               ? tsl_err_set(err, rc == TSL_ENOMEM ? rc : code, "%s: %s", name, why.msg)
               : 0;
}

int tsl_recindex_head_write(uint8_t **bytes, size_t *n, const struct tsl_rechead *head,
                            uint32_t block_bytes, struct tsl_err *err)
{
    const char *meta = head->meta ? head->meta : "{}";
    size_t nmeta = strlen(meta);
    struct tsl_json j = { 0 };
    if (nmeta > TSL_RECINDEX_META_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "meta of %zu bytes; records hold %d", nmeta,
                           TSL_RECINDEX_META_MAX);
    if (head->first > INT64_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "a first record of number %" PRIu64,
                           head->first);
    int rc = check_meta(meta, nmeta, "a header of records", TSL_EUSAGE, err);
    if (rc < 0)
        return rc;
    tsl_json_open(&j, NULL, '{');
    tsl_schema_write(&head->schema, "columns", &j);
    tsl_json_u64(&j, "first", head->first);
    tsl_json_u64(&j, "block_bytes", block_bytes);
    tsl_json_close(&j, '}');
    rc = tsl_json_end(&j, err);
    size_t len = rc == 0 ? (size_t)tsl_pad8(HEAD + j.len + nmeta) : 0;
    uint8_t *p = rc == 0 ? tsl_mem_alloc(len + 8, 1, "a header", err) : NULL;
    if (p) {
        memcpy(p, tsl_recindex_magic, 8);
        tsl_store32(p + 8, (uint32_t)j.len);
        tsl_store32(p + 12, (uint32_t)nmeta);
        memcpy(p + HEAD, j.text, j.len);
        memcpy(p + HEAD + j.len, meta, nmeta);
        tsl_store64(p + len, tsl_hash64(p, len, 0));
        *bytes = p;
        *n = len + 8;
    } else if (rc == 0) {
        rc = TSL_ENOMEM;
    }
    tsl_json_fini(&j);
    return rc;
}

size_t tsl_recindex_head_bytes(const uint8_t *p)
{
    uint32_t nschema = tsl_load32(p + 8), nmeta = tsl_load32(p + 12);
    if (memcmp(p, tsl_recindex_magic, 8) != 0 || nschema > TSL_RECINDEX_SCHEMA_MAX ||
        nmeta > TSL_RECINDEX_META_MAX)
        return 0;
    return (size_t)tsl_pad8(HEAD + (uint64_t)nschema + nmeta) + 8;
}

static int read_schema(struct tsl_rechead *head, uint32_t *block_bytes, const uint8_t *p,
                       size_t n, const char *name, struct tsl_err *err)
{
    struct tsl_jsonread *doc = NULL;
    int64_t first, bytes;
    int rc = tsl_jsonread_parse(&doc, (struct tsl_slice){ p, n }, name, err);
    if (rc < 0)
        return rc;
    const struct tsl_jsonval *root = tsl_jsonread_root(doc);
    rc = tsl_schema_read(&head->schema, tsl_jsonread_get(root, "columns"), name, err);
    if (rc == 0 && head->schema.ncolumns == 0)
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: the header has no columns", name);
    if (rc == 0 &&
        (!tsl_jsonread_int(tsl_jsonread_get(root, "first"), &first) || first < 0))
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: the header's \"first\" is no number",
                         name);
    if (rc == 0 && (!tsl_jsonread_int(tsl_jsonread_get(root, "block_bytes"), &bytes) ||
                    bytes < 8 || bytes > TSL_RECBLOCK_MAX))
        rc = tsl_err_set(err, TSL_EFORMAT,
                         "%s: the header's \"block_bytes\" is not from 8 to %d", name,
                         TSL_RECBLOCK_MAX);
    if (rc == 0) {
        head->first = (uint64_t)first;
        *block_bytes = (uint32_t)bytes;
    }
    tsl_jsonread_destroy(doc);
    return rc;
}

int tsl_recindex_head_read(struct tsl_rechead *head, uint32_t *block_bytes,
                           const uint8_t *p, size_t n, const char *name, bool no_check,
                           struct tsl_err *err)
{
    size_t nschema = tsl_load32(p + 8), nmeta = tsl_load32(p + 12);
    const char *meta = (const char *)p + HEAD + nschema;
    *head = (struct tsl_rechead){ .first = 0 };
    if (!no_check && tsl_hash64(p, n - 8, 0) != tsl_load64(p + n - 8))
        return tsl_err_set(err, TSL_EFORMAT, "%s: the header's checksum is wrong", name);
    for (size_t i = HEAD + nschema + nmeta; i < n - 8; i++)
        if (p[i])
            return tsl_err_set(err, TSL_EFORMAT, "%s: padding that is not 0", name);
    int rc = read_schema(head, block_bytes, p + HEAD, nschema, name, err);
    if (rc == 0 && memchr(meta, 0, nmeta))
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: the meta is no JSON", name);
    if (rc == 0)
        rc = check_meta(meta, nmeta, name, TSL_EFORMAT, err);
    if (rc == 0) {
        head->meta = tsl_mem_alloc(nmeta + 1, 1, "a header", err);
        rc = head->meta ? 0 : TSL_ENOMEM;
    }
    if (rc == 0)
        memcpy(head->meta, meta, nmeta);
    return rc;
}

/* ---- the trailer ---- */

void tsl_recindex_fini(struct tsl_recindex *x)
{
    tsl_mem_free(x->entries);
    *x = (struct tsl_recindex){ .nblocks = 0 };
}

int tsl_recindex_add(struct tsl_recindex *x, const struct tsl_recblock_head *h,
                     uint64_t at, struct tsl_err *err)
{
    bool continued = h->flags & TSL_RECBLOCK_CONTINUED;
    int rc = tsl_mem_grow(&x->entries, &x->cap, (size_t)x->nblocks + 1,
                          sizeof *x->entries, "the index of records", err);
    if (rc < 0)
        return rc;
    x->entries[x->nblocks++] =
        (struct tsl_recindex_entry){ at, h->first + continued, h->sum };
    x->nrecords += h->nrecords - continued;
    x->raw_bytes += h->raw;
    return 0;
}

uint64_t tsl_recindex_bytes(uint64_t nblocks, size_t ncolumns)
{
    return TSL_RECBLOCK_HEAD + 8 * (uint64_t)ncolumns + TSL_RECINDEX_ENTRY * nblocks + 16;
}

int tsl_recindex_write(const struct tsl_recindex *x, uint64_t at, uint64_t seed,
                       uint8_t **bytes, size_t *len, struct tsl_err *err)
{
    size_t n = (size_t)tsl_recindex_bytes(x->nblocks, x->ncolumns);
    uint8_t *t = tsl_mem_alloc(n, 1, "the index of records", err), *p = t;
    if (!t)
        return TSL_ENOMEM;
    tsl_store32(p, trailer_magic);
    tsl_store64(p + 8, x->nblocks);
    tsl_store64(p + 16, x->first);
    tsl_store64(p + 24, x->nrecords);
    tsl_store64(p + 32, x->raw_bytes);
    tsl_store64(p + 40, x->ncolumns);
    tsl_store64(p + 48, seed);
    p += TSL_RECBLOCK_HEAD;
    for (size_t i = 0; i < x->ncolumns; i++, p += 8)
        tsl_store64(p, x->nvalues[i]);
    for (uint64_t i = 0; i < x->nblocks; i++, p += TSL_RECINDEX_ENTRY) {
        tsl_store64(p, x->entries[i].at);
        tsl_store64(p + 8, x->entries[i].first);
        tsl_store64(p + 16, x->entries[i].sum);
    }
    tsl_store64(p, at);
    tsl_store64(p + 8, tsl_hash64(t, n - 8, seed));
    *bytes = t;
    *len = n;
    return 0;
}

bool tsl_recindex_is(const uint8_t *p)
{
    return tsl_load32(p) == trailer_magic;
}

static int read_entries(struct tsl_recindex *x, const uint8_t *p, uint64_t at,
                        uint64_t begin, const char **why, struct tsl_err *err)
{
    uint64_t least = begin, first = x->first, end = x->first + x->nrecords;
    x->entries = tsl_mem_alloc((size_t)x->nblocks + 1, sizeof *x->entries,
                               "the index of records", err);
    if (!x->entries)
        return TSL_ENOMEM;
    for (uint64_t i = 0; i < x->nblocks; i++, p += TSL_RECINDEX_ENTRY) {
        struct tsl_recindex_entry e = { tsl_load64(p), tsl_load64(p + 8),
                                        tsl_load64(p + 16) };
        /* a block has 8 bytes at least behind its head */
        if (e.at < least || e.at % 8 || e.at > at - TSL_RECBLOCK_HEAD - 8 ||
            e.first < first || e.first > end ||
            (i == 0 && (e.first != x->first || e.at != begin)))
            return *why = "the index is out of order", TSL_EFORMAT;
        least = e.at + TSL_RECBLOCK_HEAD + 8;
        first = e.first;
        x->entries[i] = e;
    }
    return 0;
}

int tsl_recindex_read(struct tsl_recindex *x, const uint8_t *p, size_t n, uint64_t at,
                      uint64_t begin, uint64_t seed, const char **why,
                      struct tsl_err *err)
{
    size_t ncolumns = x->ncolumns;
    if (n < tsl_recindex_bytes(0, ncolumns) || !tsl_recindex_is(p) ||
        tsl_load32(p + 4) != 0)
        return *why = "no trailer begins here", TSL_EFORMAT;
    if (tsl_load64(p + 40) != ncolumns || tsl_load64(p + 48) != seed ||
        (n - tsl_recindex_bytes(0, ncolumns)) % TSL_RECINDEX_ENTRY ||
        (n - tsl_recindex_bytes(0, ncolumns)) / TSL_RECINDEX_ENTRY != tsl_load64(p + 8))
        return *why = "the trailer is that of another file", TSL_EFORMAT;
    if (tsl_load64(p + n - 16) != at ||
        tsl_hash64(p, n - 8, seed) != tsl_load64(p + n - 8))
        return *why = "the trailer's checksum is wrong", TSL_EFORMAT;
    x->nblocks = tsl_load64(p + 8);
    x->first = tsl_load64(p + 16);
    x->nrecords = tsl_load64(p + 24);
    x->raw_bytes = tsl_load64(p + 32);
    if (x->first > INT64_MAX || x->nrecords > INT64_MAX ||
        (x->nblocks == 0 && x->nrecords))
        return *why = "the trailer counts too many records", TSL_EFORMAT;
    for (size_t i = 0; i < ncolumns; i++)
        x->nvalues[i] = tsl_load64(p + TSL_RECBLOCK_HEAD + 8 * i);
    return read_entries(x, p + TSL_RECBLOCK_HEAD + 8 * ncolumns, at, begin, why, err);
}
