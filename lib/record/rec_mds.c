#include "record/rec_mds.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/jsonread.h"
#include "base/mem.h"
#include "base/quote.h"
#include "io/source.h"
#include "record/mdscolumn.h"
#include "record/recout.h"

enum {
    INDEX_MAX = 1 << 30, /* bytes of an index.json that is believed */
    CONFIG_MAX = 1 << 20,
    WINDOW_MAX = 128 << 20,
    SIZE_LIMIT = 1 << 26 /* Mosaic's own */
};

/* ---- columns in common ---- */

struct columns {
    struct tsl_schema schema;
    struct tsl_mdscolumn m[TSL_COLUMNS_MAX];
    uint32_t nvariable; /* columns without a fixed size */
};

static void count_variable(struct columns *c)
{
    c->nvariable = 0;
    for (size_t i = 0; i < c->schema.ncolumns; i++)
        c->nvariable += c->m[i].bytes == 0;
}

static const char *text_of(const struct tsl_jsonval *v, char *buf, size_t cap)
{
    struct tsl_slice s;
    if (!tsl_jsonread_str(v, &s) || s.len >= cap || memchr(s.data, 0, s.len))
        return NULL;
    memcpy(buf, s.data, s.len);
    buf[s.len] = 0;
    return buf;
}

/* What the members column_names and column_encodings of v say. */
static int read_columns(struct columns *c, const struct tsl_jsonval *v, const char *where,
                        struct tsl_err *err)
{
    const struct tsl_jsonval *names = tsl_jsonread_get(v, "column_names");
    const struct tsl_jsonval *encodings = tsl_jsonread_get(v, "column_encodings");
    size_t n = tsl_jsonread_size(names);
    *c = (struct columns){ 0 };
    if (tsl_jsonread_kind(names) != TSL_JSON_ARRAY || n == 0 ||
        tsl_jsonread_kind(encodings) != TSL_JSON_ARRAY ||
        tsl_jsonread_size(encodings) != n)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: column_names and column_encodings are not two arrays of "
                           "the same length",
                           where);
    for (size_t i = 0; i < n; i++) {
        char name[TSL_COLUMN_NAME_MAX + 1], encoding[TSL_MDS_ENCODING_MAX];
        struct tsl_err why = { 0 };
        if (!text_of(tsl_jsonread_at(names, i), name, sizeof name) ||
            !text_of(tsl_jsonread_at(encodings, i), encoding, sizeof encoding))
            return tsl_err_set(
                err, TSL_EFORMAT,
                "%s: column %zu: its name or its encoding is no string, or "
                "too long",
                where, i);
        int rc =
            i < TSL_COLUMNS_MAX
                ? tsl_mdscolumn_named(&c->m[i], &c->schema, name, encoding, &why)
                : tsl_err_set(&why, TSL_EFORMAT, "more than %d columns", TSL_COLUMNS_MAX);
        if (rc < 0)
            return tsl_err_set(err, rc, "%s: %s", where, why.msg);
    }
    count_variable(c);
    return 0;
}

/* ---- files ---- */

/* The size and XXH64 of a file as it lies, or of what it holds. */
static int measure(const char *path, bool plain, uint64_t *n, uint64_t *xxh64,
                   struct tsl_err *err)
{
    enum { CHUNK = 256 << 10 };
    struct tsl_source s = TSL_SOURCE_CLOSED;
    struct tsl_file f = TSL_FILE_INIT;
    struct tsl_xxh64 h;
    int64_t got = 0;
    uint8_t *buf = tsl_pages_map(CHUNK, "a read buffer", err);
    int rc = !buf    ? TSL_ENOMEM
             : plain ? tsl_source_open(&s, path, WINDOW_MAX, err)
                     : tsl_file_open(&f, path, err);
    tsl_xxh64_init(&h);
    *n = 0;
    while (rc == 0 && (got = plain ? tsl_source_read(&s, buf, CHUNK, err)
                                   : tsl_file_read(&f, buf, CHUNK, err)) > 0) {
        tsl_xxh64_add(&h, buf, (size_t)got);
        *n += (uint64_t)got;
    }
    *xxh64 = tsl_xxh64_end(&h);
    tsl_source_close(&s, NULL);
    tsl_file_close(&f, NULL);
    tsl_pages_unmap(buf, CHUNK);
    return rc < 0 ? rc : (int)got;
}

/* ---- reading ---- */

struct shard {
    char *path, *raw_name;
    uint64_t samples, bytes; /* bytes: of the raw shard; UINT64_MAX: not told */
    uint64_t xxh64, zip_xxh64;
    bool packed, hashed, zip_hashed; /* zip: of a packed one as it lies */
};

struct reader {
    struct columns columns;
    struct shard *shards;
    size_t nshards, shards_cap;
    bool whole, check; /* whole: the index told how many samples */
    uint64_t memory;
    /* the shard that is open */
    size_t now;
    bool open, seeking; /* seeking: samples are read where they lie, not in order */
    struct tsl_source source;
    uint32_t n, *offsets;
    size_t offsets_cap;
    uint32_t i; /* the next sample */
    uint64_t number;
    uint8_t *sample;
    size_t sample_cap;
    struct tsl_xxh64 xxh64;
    uint64_t raw; /* bytes of it read so far */
    struct tsl_mdsvalue keep[TSL_COLUMNS_MAX];
    struct tsl_value values[TSL_COLUMNS_MAX];
};

static void reader_destroy(void *p)
{
    struct reader *r = p;
    if (!r)
        return;
    if (r->open)
        tsl_source_close(&r->source, NULL);
    for (size_t i = 0; i < r->nshards; i++) {
        tsl_mem_free(r->shards[i].path);
        tsl_mem_free(r->shards[i].raw_name);
    }
    for (size_t i = 0; i < TSL_COLUMNS_MAX; i++)
        tsl_mem_free(r->keep[i].text);
    tsl_mem_free(r->shards);
    tsl_mem_free(r->offsets);
    tsl_mem_free(r->sample);
    tsl_mem_free(r);
}

static bool is_index(const char *path)
{
    size_t n = strlen(path);
    return n >= 10 && strcmp(path + n - 10, "index.json") == 0;
}

static bool is(const char *path, const uint8_t *bytes, size_t n)
{
    if (!bytes) {
        char name[4096];
        return snprintf(name, sizeof name, "%s/index.json", path) < (int)sizeof name &&
               tsl_file_exists(name);
    }
    if (is_index(path))
        return true;
    /* the first offset stands behind the offsets and in front of a JSON object */
    if (n < 16)
        return false;
    uint64_t samples = tsl_load32(bytes), first = tsl_load32(bytes + 4);
    uint64_t config = 8 + 4 * samples;
    return first > config && first - config < CONFIG_MAX &&
           tsl_load32(bytes + 8) >= first && (config >= n || bytes[config] == '{');
}

/* dir/name, on the heap.  A name that leads out of the folder is refused. */
static char *beside(const char *index, const char *name, struct tsl_err *err)
{
    const char *slash = strrchr(index, '/');
    size_t dir = slash ? (size_t)(slash - index) + 1 : 0;
    if (name[0] == '/' || strstr(name, "..")) {
        tsl_err_set(err, TSL_EFORMAT, "%s: shard %s: a name outside of the folder",
                    tsl_quote(index).s, tsl_quote(name).s);
        return NULL;
    }
    char *path = tsl_mem_alloc(dir + strlen(name) + 1, 1, "a name", err);
    if (path) {
        memcpy(path, index, dir);
        strcpy(path + dir, name);
    }
    return path;
}

/* Did the index have it, in the "hashes" of raw_data or zip_data? */
static bool hash_of(const struct tsl_jsonval *data, uint64_t *xxh64)
{
    char hash[64];
    if (!text_of(tsl_jsonread_get(tsl_jsonread_get(data, "hashes"), "xxh64"), hash,
                 sizeof hash))
        return false;
    *xxh64 = strtoull(hash, NULL, 16);
    return true;
}

/* One member of "shards". */
static int read_shard(struct reader *r, const struct tsl_jsonval *v, const char *index,
                      const char *where, struct tsl_err *err)
{
    char name[4096];
    int64_t n, bytes;
    const struct tsl_jsonval *raw = tsl_jsonread_get(v, "raw_data");
    const struct tsl_jsonval *zip = tsl_jsonread_get(v, "zip_data");
    bool packed = tsl_jsonread_kind(zip) == TSL_JSON_OBJECT;
    const struct tsl_jsonval *data = packed ? zip : raw;
    if (!text_of(tsl_jsonread_get(v, "format"), name, sizeof name) ||
        strcmp(name, "mds") != 0)
        return tsl_err_set(err, TSL_EFORMAT, "%s: its format is not \"mds\"", where);
    if (!tsl_jsonread_int(tsl_jsonread_get(v, "samples"), &n) || n < 0 ||
        !tsl_jsonread_int(tsl_jsonread_get(raw, "bytes"), &bytes) || bytes < 0 ||
        !text_of(tsl_jsonread_get(data, "basename"), name, sizeof name))
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: samples, raw_data.bytes or a basename is missing", where);
    int rc = tsl_mem_grow(&r->shards, &r->shards_cap, r->nshards + 1, sizeof *r->shards,
                          "a list of shards", err);
    if (rc < 0)
        return rc;
    struct shard s = { .samples = (uint64_t)n,
                       .bytes = (uint64_t)bytes,
                       .packed = packed };
    s.path = beside(index, name, err);
    if (!s.path)
        return err && err->code ? err->code : TSL_EFORMAT;
    s.hashed = hash_of(raw, &s.xxh64);
    s.zip_hashed = packed && hash_of(zip, &s.zip_xxh64);
    r->shards[r->nshards++] = s;
    return 0;
}

static int read_index_text(struct reader *r, const char *path, struct tsl_slice text,
                           struct tsl_err *err)
{
    struct tsl_jsonread *doc;
    char where[700];
    int64_t version = 0;
    int rc = tsl_jsonread_parse(&doc, text, tsl_quote(path).s, err);
    if (rc < 0)
        return rc;
    const struct tsl_jsonval *root = tsl_jsonread_root(doc);
    const struct tsl_jsonval *shards = tsl_jsonread_get(root, "shards");
    if (!tsl_jsonread_int(tsl_jsonread_get(root, "version"), &version) || version != 2 ||
        tsl_jsonread_kind(shards) != TSL_JSON_ARRAY)
        rc = tsl_err_set(
            err, TSL_EFORMAT,
            "%s: no index of MDS version 2 (\"version\": 2, \"shards\": [...])",
            tsl_quote(path).s);
    for (size_t i = 0; rc == 0 && i < tsl_jsonread_size(shards); i++) {
        const struct tsl_jsonval *v = tsl_jsonread_at(shards, i);
        struct columns c;
        snprintf(where, sizeof where, "%s: shard %zu", tsl_quote(path).s, i);
        rc = read_columns(&c, v, where, err);
        if (rc == 0 && i && !tsl_schema_equal(&c.schema, &r->columns.schema))
            rc = tsl_err_set(err, TSL_EFORMAT, "%s: its columns are not those of shard 0",
                             where);
        if (rc == 0)
            rc = read_shard(r, v, path, where, err);
        r->columns = c;
    }
    tsl_jsonread_destroy(doc);
    return rc;
}

static int read_index(struct reader *r, const char *path, struct tsl_err *err)
{
    struct tsl_source s;
    uint8_t *text = NULL;
    size_t cap = 0, len = 0;
    int rc = tsl_source_open(&s, path, WINDOW_MAX, err);
    if (rc < 0)
        return rc;
    for (int64_t got = 1; rc == 0 && got; len += (size_t)got) {
        if (len > INDEX_MAX || len > r->memory)
            rc = tsl_err_set(err, TSL_EFORMAT, "%s: an index of more than %zu bytes",
                             tsl_quote(path).s, len);
        else
            rc = tsl_mem_grow(&text, &cap, len + (64 << 10), 1, "an index", err);
        got = rc < 0 ? 0 : tsl_source_read(&s, text + len, 64 << 10, err);
        if (got < 0)
            rc = (int)got;
        if (got < 0)
            got = 0;
    }
    if (rc == 0)
        rc = tsl_source_close(&s, err);
    else
        tsl_source_close(&s, NULL);
    if (rc == 0)
        rc = read_index_text(r, path, (struct tsl_slice){ text, len }, err);
    tsl_mem_free(text);
    r->whole = true;
    return rc;
}

static int in_shard(const struct reader *r, struct tsl_err *err, const char *what)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: %s", tsl_quote(r->shards[r->now].path).s,
                       what);
}

/* Exactly n bytes of the shard. */
static int pull(struct reader *r, void *p, size_t n, struct tsl_err *err)
{
    if (r->seeking) {
        r->raw += n;
        return tsl_file_pread(&r->source.file, p, n, r->raw - n, err);
    }
    int64_t got = tsl_source_read(&r->source, p, n, err);
    if (got < 0)
        return (int)got;
    tsl_xxh64_add(&r->xxh64, p, (size_t)got);
    r->raw += (uint64_t)got;
    if ((size_t)got == n)
        return 0;
    return tsl_err_set(err, TSL_EFORMAT, "%s: the shard ends at byte %" PRIu64,
                       tsl_quote(r->shards[r->now].path).s, r->raw);
}

/* The offsets: rising, and in the file. */
static int read_offsets(struct reader *r, struct tsl_err *err)
{
    const struct shard *s = &r->shards[r->now];
    uint8_t b[4];
    int rc = pull(r, b, 4, err);
    if (rc < 0)
        return rc;
    r->n = tsl_load32(b);
    if (r->whole && r->n != s->samples)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: %" PRIu32 " samples; the index says %" PRIu64,
                           tsl_quote(s->path).s, r->n, s->samples);
    if (((uint64_t)r->n + 1) * 4 > r->memory)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: %" PRIu32 " samples: their offsets are more than may be "
                           "held (%" PRIu64 " bytes)",
                           tsl_quote(s->path).s, r->n, r->memory);
    rc = tsl_mem_grow(&r->offsets, &r->offsets_cap, (size_t)r->n + 1, 4, "offsets", err);
    if (rc == 0)
        rc = pull(r, r->offsets, 4 * ((size_t)r->n + 1), err);
    if (rc < 0)
        return rc;
    uint64_t least = 8 + 4 * (uint64_t)r->n;
    for (uint32_t i = 0; i <= r->n; i++) {
        r->offsets[i] = tsl_load32(&r->offsets[i]);
        if (r->offsets[i] < least)
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: offset %" PRIu32 " is %" PRIu32
                               ", in front of byte %" PRIu64,
                               tsl_quote(s->path).s, i, r->offsets[i], least);
        least = r->offsets[i];
    }
    if (s->bytes != UINT64_MAX && r->offsets[r->n] != s->bytes)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: %" PRIu32 " bytes; the index says %" PRIu64,
                           tsl_quote(s->path).s, r->offsets[r->n], s->bytes);
    return 0;
}

/* The shard's own JSON text; the columns come from it where there is no index. */
static int read_config(struct reader *r, struct tsl_err *err)
{
    size_t n = r->offsets[0] - (8 + 4 * (size_t)r->n);
    struct tsl_jsonread *doc;
    const char *path = r->shards[r->now].path;
    if (n > CONFIG_MAX)
        return in_shard(r, err, "more than 1 MiB in front of the first sample");
    int rc = tsl_mem_grow(&r->sample, &r->sample_cap, n + 1, 1, "a shard's columns", err);
    if (rc == 0)
        rc = pull(r, r->sample, n, err);
    if (rc < 0 || r->whole)
        return rc;
    rc = tsl_jsonread_parse(&doc, (struct tsl_slice){ r->sample, n }, tsl_quote(path).s,
                            err);
    if (rc < 0)
        return rc;
    rc = read_columns(&r->columns, tsl_jsonread_root(doc), tsl_quote(path).s, err);
    tsl_jsonread_destroy(doc);
    return rc;
}

/* The front of a shard whose source is open. */
static int read_front(struct reader *r, struct tsl_err *err)
{
    r->open = true;
    r->seeking = false;
    r->raw = 0;
    r->i = 0;
    tsl_xxh64_init(&r->xxh64);
    int rc = read_offsets(r, err);
    if (rc == 0)
        rc = read_config(r, err);
    if (rc < 0) {
        r->open = false;
        tsl_source_close(&r->source, NULL);
    }
    return rc;
}

static int open_shard(struct reader *r, struct tsl_err *err)
{
    int rc = tsl_source_open(&r->source, r->shards[r->now].path, WINDOW_MAX, err);
    return rc < 0 ? rc : read_front(r, err);
}

/* A packed shard's bytes may be others, and give the same samples. */
static int check_packed(struct reader *r, struct tsl_err *err)
{
    const struct shard *s = &r->shards[r->now];
    uint64_t n, xxh64;
    int rc = measure(s->path, false, &n, &xxh64, err);
    if (rc == 0 && xxh64 != s->zip_xxh64)
        rc = in_shard(r, err, "its xxh64 as it lies is not what the index says");
    return rc;
}

/* All samples were read: nothing may follow, and the hashes must be the index's. */
static int close_shard(struct reader *r, bool to_the_end, struct tsl_err *err)
{
    to_the_end &= !r->seeking;
    const struct shard *s = &r->shards[r->now];
    uint8_t more;
    int64_t got = to_the_end ? tsl_source_read(&r->source, &more, 1, err) : 0;
    r->open = false;
    if (got < 0) {
        tsl_source_close(&r->source, NULL);
        return (int)got;
    }
    int rc = tsl_source_close(&r->source, to_the_end ? err : NULL);
    if (!to_the_end || rc < 0)
        return to_the_end ? rc : 0;
    if (got)
        return in_shard(r, err, "bytes behind the last sample");
    if (s->hashed && r->check && tsl_xxh64_end(&r->xxh64) != s->xxh64)
        return in_shard(r, err, "its xxh64 is not what the index says");
    return s->zip_hashed && r->check ? check_packed(r, err) : 0;
}

static int reader_open(void **out, struct tsl_rechead *head, const char *path,
                       struct tsl_source *src, const struct tsl_recreader_opts *o,
                       struct tsl_err *err)
{
    struct reader *r = tsl_mem_alloc(1, sizeof *r, "a reader", err);
    if (!r)
        return TSL_ENOMEM;
    r->memory = o->memory;
    r->check = !o->no_check;
    int rc;
    if (is_index(path)) {
        rc = read_index(r, path, err);
    } else if (tsl_file_is_folder(path)) {
        char name[4096];
        snprintf(name, sizeof name, "%s/index.json", path);
        rc = read_index(r, name, err);
    } else {
        rc = tsl_mem_grow(&r->shards, &r->shards_cap, 1, sizeof *r->shards, "a shard",
                          err);
        if (rc == 0) {
            r->shards[0] = (struct shard){ .bytes = UINT64_MAX };
            r->nshards = 1;
            r->shards[0].path = tsl_mem_strdup(path, err);
            rc = r->shards[0].path ? 0 : TSL_ENOMEM;
        }
        if (rc == 0) {
            r->source = *src;
            *src = TSL_SOURCE_CLOSED;
            rc = read_front(r, err);
        }
    }
    if (rc < 0) {
        reader_destroy(r);
        return rc;
    }
    head->schema = r->columns.schema;
    *out = r;
    return 0;
}

static int bad_sample(const struct reader *r, const char *column, const char *what,
                      struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT,
                       "%s: sample %" PRIu32 " at byte %" PRIu32 ": %s%s%s",
                       tsl_quote(r->shards[r->now].path).s, r->i, r->offsets[r->i],
                       column ? column : "", column ? ": " : "", what);
}

/* Cuts the n bytes of a sample into values. */
static int cut_sample(struct reader *r, size_t n, struct tsl_err *err)
{
    const struct columns *c = &r->columns;
    const uint8_t *sizes = r->sample;
    size_t at = 4 * (size_t)c->nvariable;
    if (n < at)
        return bad_sample(r, NULL, "it is shorter than its sizes", err);
    for (size_t i = 0; i < c->schema.ncolumns; i++) {
        const char *name = c->schema.columns[i].name;
        size_t len = c->m[i].bytes;
        struct tsl_err why = { 0 };
        if (len == 0) {
            len = tsl_load32(sizes);
            sizes += 4;
        }
        if (len > n - at)
            return bad_sample(r, name, "it ends behind the sample", err);
        int rc = tsl_mdscolumn_read(&c->m[i], &c->schema.columns[i],
                                    (struct tsl_slice){ r->sample + at, len },
                                    &r->keep[i], &r->values[i], &why);
        if (rc < 0)
            return rc == TSL_EFORMAT ? bad_sample(r, name, why.msg, err)
                                     : tsl_err_pass(err, &why);
        at += len;
    }
    return at == n ? 0 : bad_sample(r, NULL, "bytes behind its last column", err);
}

static int next(void *p, struct tsl_record *rec, struct tsl_err *err)
{
    struct reader *r = p;
    int rc = 0;
    for (;;) {
        if (!r->open) {
            if (r->now == r->nshards)
                return 0;
            rc = open_shard(r, err);
            if (rc < 0)
                return rc;
        }
        if (r->i < r->n)
            break;
        rc = close_shard(r, true, err);
        if (rc < 0)
            return rc;
        r->now++;
    }
    size_t n = r->offsets[r->i + 1] - r->offsets[r->i];
    if (n > r->memory)
        return bad_sample(r, NULL, "it is larger than the memory that may be used", err);
    rc = tsl_mem_grow(&r->sample, &r->sample_cap, n + 1, 1, "a sample", err);
    if (rc == 0)
        rc = pull(r, r->sample, n, err);
    if (rc == 0)
        rc = cut_sample(r, n, err);
    if (rc < 0)
        return rc;
    r->i++;
    rec->number = r->number++;
    rec->values = r->values;
    return 1;
}

static int count(void *p, uint64_t *n, struct tsl_err *err)
{
    const struct reader *r = p;
    (void)err;
    *n = 0;
    for (size_t i = 0; i < r->nshards; i++)
        *n += r->whole ? r->shards[i].samples : r->n;
    return 0;
}

/* Goes to the shard of sample i, and in it to the sample: in one step where the file is plain,
 * from its beginning where it is compressed and the sample lies behind. */
static int at(void *p, uint64_t i, struct tsl_record *rec, struct tsl_err *err)
{
    struct reader *r = p;
    uint64_t first = 0, total;
    size_t s = 0;
    int rc = count(r, &total, err);
    if (i >= total)
        return tsl_err_set(err, TSL_EUSAGE, "record %" PRIu64 " of %" PRIu64, i, total);
    for (; r->whole && i - first >= r->shards[s].samples; s++)
        first += r->shards[s].samples;
    uint32_t k = (uint32_t)(i - first);
    if (r->open && (r->now != s || (r->source.decoder && r->i > k)))
        close_shard(r, false, NULL);
    r->now = s;
    if (!r->open)
        rc = open_shard(r, err);
    if (rc == 0 && !r->source.decoder && r->source.file.regular) {
        r->seeking = true;
        r->raw = r->offsets[k];
        r->i = k;
    }
    r->number = i - (k - r->i);
    while (rc == 0 && r->i < k) {
        rc = next(r, rec, err);
        rc = rc == 1 ? 0 : rc < 0 ? rc : TSL_EFORMAT;
    }
    return rc < 0 ? rc : next(r, rec, err);
}

/* ---- writing ---- */

struct writer {
    struct tsl_rechelp help;
    struct columns columns;
    uint32_t order[TSL_COLUMNS_MAX]; /* columns by name */
    char encodings[TSL_COLUMNS_MAX][TSL_MDS_ENCODING_MAX];
    int level; /* of zstd; 0: not compressed */
    uint64_t memory, limit;
    char *config; /* JSON */
    size_t config_len;
    /* the shard: len bytes of samples behind the gap, and where each ends; the next shard uses
     * the same memory */
    uint8_t *region;
    size_t gap, len, region_bytes;
    size_t expected,
        wanted; /* of the file's and of the region's bytes: they have pages */
    uint32_t *ends;
    size_t n, ends_cap;
    struct tsl_recout out;
    struct tsl_packer *packer;
    uint64_t raw_bytes, raw_xxh64, zip_xxh64;
    struct tsl_json index; /* the shards so far */
};

static void writer_destroy(void *p)
{
    struct writer *w = p;
    if (!w)
        return;
    tsl_recout_close(&w->out);
    tsl_packer_destroy(w->packer);
    tsl_json_fini(&w->index);
    tsl_mem_free(w->config);
    tsl_pages_unmap(w->region, w->region_bytes);
    tsl_mem_free(w->ends);
    tsl_mem_free(w);
}

/* The members that a shard's own text and the index have in common. */
static void put_columns(const struct writer *w, struct tsl_json *j)
{
    const struct columns *c = &w->columns;
    tsl_json_open(j, "column_encodings", '[');
    for (size_t i = 0; i < c->schema.ncolumns; i++)
        tsl_json_str(j, NULL, w->encodings[w->order[i]]);
    tsl_json_close(j, ']');
    tsl_json_open(j, "column_names", '[');
    for (size_t i = 0; i < c->schema.ncolumns; i++)
        tsl_json_str(j, NULL, c->schema.columns[w->order[i]].name);
    tsl_json_close(j, ']');
    tsl_json_open(j, "column_sizes", '[');
    for (size_t i = 0; i < c->schema.ncolumns; i++)
        if (c->m[w->order[i]].bytes)
            tsl_json_u64(j, NULL, c->m[w->order[i]].bytes);
        else
            tsl_json_null(j, NULL);
    tsl_json_close(j, ']');
    if (w->level) {
        char name[16];
        snprintf(name, sizeof name, "zstd:%d", w->level);
        tsl_json_str(j, "compression", name);
    } else {
        tsl_json_null(j, "compression");
    }
    tsl_json_str(j, "format", "mds");
    tsl_json_open(j, "hashes", '[');
    tsl_json_str(j, NULL, "xxh64");
    tsl_json_close(j, ']');
}

static int make_config(struct writer *w, struct tsl_err *err)
{
    struct tsl_json j = { 0 };
    tsl_json_open(&j, NULL, '{');
    put_columns(w, &j);
    tsl_json_u64(&j, "size_limit", w->limit);
    tsl_json_u64(&j, "version", 2);
    tsl_json_close(&j, '}');
    int rc = tsl_json_end(&j, err);
    if (rc == 0) {
        w->config = j.text;
        w->config_len = j.len;
    } else {
        tsl_json_fini(&j);
    }
    return rc;
}

static int writer_create(void **out, const struct tsl_rechead *head,
                         const struct tsl_recwriter_opts *o, struct tsl_err *err)
{
    struct writer *w = tsl_mem_alloc(1, sizeof *w, "a writer", err);
    if (!w)
        return TSL_ENOMEM;
    w->help = o->help;
    struct columns *c = &w->columns;
    int rc = 0;
    w->level = o->zstd_level;
    w->memory = o->memory;
    w->limit = o->size_limit ? o->size_limit : SIZE_LIMIT;
    /* for the offsets of many samples: a larger front costs a move of them all */
    w->gap = w->memory / 16 < 64 << 20 ? (size_t)(w->memory / 16) : 64 << 20;
    w->gap = (w->gap + TSL_PAGE_BYTES - 1) & ~(size_t)(TSL_PAGE_BYTES - 1);
    c->schema = head->schema;
    if (o->gzip)
        rc = tsl_err_set(err, TSL_EUSAGE,
                         "mds shards are compressed by zstd, not by gzip");
    for (size_t i = 0; rc == 0 && i < c->schema.ncolumns; i++) {
        size_t to = i;
        rc = tsl_mdscolumn_of(&c->m[i], &c->schema.columns[i], w->encodings[i], err);
        for (; to && strcmp(c->schema.columns[w->order[to - 1]].name,
                            c->schema.columns[i].name) > 0;
             to--)
            w->order[to] = w->order[to - 1];
        w->order[to] = (uint32_t)i;
    }
    count_variable(c);
    if (rc == 0)
        rc = make_config(w, err);
    if (rc == 0 && w->level)
        rc = tsl_packer_create(&w->packer, TSL_CODEC_ZSTD, w->level, err);
    if (rc < 0) {
        writer_destroy(w);
        return rc;
    }
    *out = w;
    return 0;
}

static int begin(void *p, const char *stem, struct tsl_err *err)
{
    struct writer *w = p;
    tsl_recout_close(&w->out);
    w->len = w->n = w->expected = 0;
    if (!stem)
        return tsl_err_set(err, TSL_EUSAGE,
                           "mds shards are files with an index: they need a folder");
    return tsl_recout_open(&w->out, stem, w->level ? ".mds.zstd" : ".mds", TSL_CODEC_NONE,
                           0, &w->help, err);
}

static uint64_t front_bytes(const struct writer *w)
{
    return 8 + 4 * (uint64_t)w->n + w->config_len;
}

static uint64_t bytes(const void *p)
{
    const struct writer *w = p;
    return front_bytes(w) + w->len;
}

/* A shard is made in memory, and its offsets have 32 bits. */
static bool fits(const struct writer *w, uint64_t whole)
{
    return whole <= UINT32_MAX && whole <= w->memory / 2;
}

enum { LARGE = 2 << 20 }; /* bytes of a large page */

/* Of large pages a shard takes a hundredth of the faults; where they are small beside the
 * memory. */
static bool has_large(const struct writer *w)
{
    return w->memory >= 32 * LARGE;
}

/* The region has need bytes: of addresses, until it is filled. */
static int grow_region(struct writer *w, size_t need, struct tsl_err *err)
{
    size_t step = has_large(w) ? LARGE : TSL_PAGE_BYTES;
    size_t most = w->gap + (size_t)(w->memory / 2), twice = 2 * w->region_bytes;
    int rc = need > w->region_bytes ? tsl_sink_flush(&w->out.sink, err) : 0;
    if (rc < 0 || need <= w->region_bytes)
        return rc;
    if (twice > most)
        twice = most;
    size_t want = ((need > twice ? need : twice) + step - 1) / step * step;
    uint8_t *p = tsl_pages_resize(w->region, w->region_bytes, want, "a shard", err);
    if (!p)
        return TSL_ENOMEM;
    w->region = p;
    w->region_bytes = want;
    if (has_large(w))
        tsl_pages_want_huge(p, want);
    return 0;
}

/* Whoever writes has nothing to do before the last sample has come: until then it gets pages,
 * for the file and for samples to come; of these no more than twice what there is. */
static void prepare(struct writer *w)
{
    enum { AHEAD = 4 * LARGE };
    struct tsl_sink *s = &w->out.sink;
    size_t far = w->gap + w->len + (w->len < AHEAD ? w->len : AHEAD);
    if (!w->level && w->len - w->expected >= LARGE) {
        tsl_sink_expect(s, w->expected, w->len);
        w->expected = w->len;
    }
    if (w->wanted < w->gap)
        w->wanted = w->gap;
    for (; has_large(w) && w->wanted + LARGE <= far && far <= w->region_bytes;
         w->wanted += LARGE)
        tsl_sink_want(s, w->region + w->wanted, LARGE);
}

/* Room for n more bytes of samples. */
static int need_room(struct writer *w, uint64_t n, size_t nsamples, struct tsl_err *err)
{
    prepare(w);
    int rc = grow_region(w, w->gap + w->len + (size_t)n, err);
    return rc < 0
               ? rc
               : tsl_mem_grow(&w->ends, &w->ends_cap, w->n + nsamples, 4, "a shard", err);
}

static int put(void *p, const struct tsl_record *rec, struct tsl_err *err)
{
    struct writer *w = p;
    const struct columns *c = &w->columns;
    uint32_t sizes[TSL_COLUMNS_MAX];
    uint64_t n = 4 * (uint64_t)c->nvariable;
    for (size_t i = 0; i < c->schema.ncolumns; i++) {
        const struct tsl_column *column = &c->schema.columns[i];
        if (c->m[i].kind == TSL_MDS_SHAPED && rec->values[i].n == 0)
            return tsl_err_set(err, TSL_EUSAGE,
                               "record %" PRIu64 ": column %s is empty, and MDS has no "
                               "arrays of no values",
                               rec->number, tsl_quote(column->name).s);
        uint64_t size = tsl_mdscolumn_measure(&c->m[i], column, &rec->values[i]);
        if (size > UINT32_MAX)
            return tsl_err_set(err, TSL_EUSAGE,
                               "record %" PRIu64 ": column %s has 4 GiB or more",
                               rec->number, tsl_quote(column->name).s);
        sizes[i] = (uint32_t)size;
        n += size;
    }
    uint64_t whole = bytes(w) + 4 + n;
    if (!fits(w, whole))
        return tsl_err_set(err, TSL_EUSAGE,
                           "an mds shard of %" PRIu64 " bytes: it is made in memory and "
                           "may have half of it (%" PRIu64 "), and less than 4 GiB; give "
                           "--shard-bytes or more memory",
                           whole, w->memory / 2);
    int rc = need_room(w, n, 1, err);
    if (rc < 0)
        return rc;
    uint8_t *size = w->region + w->gap + w->len, *to = size + 4 * (size_t)c->nvariable;
    for (size_t k = 0; k < c->schema.ncolumns; k++) {
        uint32_t i = w->order[k];
        if (c->m[i].bytes == 0) {
            tsl_store32(size, sizes[i]);
            size += 4;
        }
        tsl_mdscolumn_write(&c->m[i], &c->schema.columns[i], &rec->values[i], to);
        to += sizes[i];
    }
    w->len += n;
    w->ends[w->n++] = (uint32_t)w->len;
    return 0;
}

/* A column of rows that are at hand, and how far it was put. */
struct lane {
    const uint8_t *values;
    const uint32_t *ends; /* NULL: as many in each row */
    uint32_t before;      /* the end before *ends */
    uint32_t bytes, size; /* of a row, 0 where they differ; of a value */
};

/* The columns as they are put, by name; bytes that n rows of them take at most. */
static uint64_t make_lanes(const struct writer *w, const struct tsl_recrows *rows,
                           struct lane *lanes)
{
    const struct columns *c = &w->columns;
    uint64_t most = 4 * (uint64_t)rows->n; /* their offsets */
    for (size_t k = 0; k < c->schema.ncolumns; k++) {
        uint32_t i = w->order[k];
        const struct tsl_recrows_column *l = &rows->columns[i];
        uint32_t size = (uint32_t)tsl_dtype_bytes(c->schema.columns[i].type);
        lanes[k] = (struct lane){ l->values, l->ends, l->begin, c->m[i].bytes, size };
        if (l->ends)
            lanes[k].values += (size_t)l->begin * size;
        if (c->m[i].bytes)
            most += (uint64_t)rows->n * c->m[i].bytes;
        else /* and its size and its shape */
            most += (uint64_t)rows->n * (4 + 9) +
                    (uint64_t)size * (l->ends[rows->n - 1] - l->begin);
    }
    return most;
}

/* As memcpy, without a call for one value. */
TSL_INLINE void copy_fixed(uint8_t *to, const uint8_t *from, size_t n)
{
    switch (n) {
    case 1: *to = *from; break;
    case 2: memcpy(to, from, 2); break;
    case 4: memcpy(to, from, 4); break;
    case 8: memcpy(to, from, 8); break;
    default: memcpy(to, from, n);
    }
}

/* The next row at to: where it ends.  NULL: a list in it is empty, and MDS has no empty ones. */
TSL_INLINE uint8_t *put_row(const struct writer *w, struct lane *lanes, uint8_t *to)
{
    uint8_t *size = to;
    to += 4 * (size_t)w->columns.nvariable;
    for (struct lane *l = lanes; l < lanes + w->columns.schema.ncolumns; l++) {
        uint8_t *begin = to;
        size_t bytes = l->bytes;
        if (bytes) {
            copy_fixed(to, l->values, bytes);
        } else {
            uint32_t n = *l->ends - l->before;
            if (n == 0)
                return NULL;
            l->before = *l->ends++;
            bytes = (size_t)n * l->size;
            to = tsl_mdscolumn_put_shape(to, n);
            memcpy(to, l->values, bytes);
            tsl_store32(size, (uint32_t)(to - begin + (ptrdiff_t)bytes));
            size += 4;
        }
        l->values += bytes;
        to += bytes;
    }
    return to;
}

/* Rows have no strings.  What is refused goes through put, which says why. */
static int put_rows(void *p, const struct tsl_recrows *rows, struct tsl_err *err)
{
    struct writer *w = p;
    struct tsl_recrows rest = *rows;
    struct lane lanes[TSL_COLUMNS_MAX];
    uint64_t most = make_lanes(w, rows, lanes);
    uint32_t k = 0;
    int rc = 0;
    if (fits(w, bytes(w) + most)) {
        rc = need_room(w, most, rows->n, err);
        if (rc < 0)
            return rc;
        uint8_t *begin = w->region + w->gap, *to = begin + w->len, *end;
        for (; k < rows->n && (end = put_row(w, lanes, to)); k++) {
            to = end;
            w->ends[w->n++] = (uint32_t)(to - begin);
        }
        w->len = (size_t)(to - begin);
    }
    tsl_recrows_skip(&rest, &w->columns.schema, k);
    return rest.n ? tsl_recrows_each(&rest, &w->columns.schema, p, put, err) : 0;
}

/* Count, offsets and columns are put in front of the samples, where the region has a gap for
 * them. */
static int put_front(struct writer *w, struct tsl_err *err)
{
    size_t first = (size_t)front_bytes(w);
    size_t more = first > w->gap ? first - w->gap : 0;
    more = (more + TSL_PAGE_BYTES - 1) & ~(size_t)(TSL_PAGE_BYTES - 1);
    int rc = grow_region(w, w->gap + more + w->len, err);
    if (rc < 0)
        return rc;
    if (more) {
        memmove(w->region + w->gap + more, w->region + w->gap, w->len);
        w->gap += more;
    }
    uint8_t *front = w->region + w->gap - first;
    tsl_store32(front, (uint32_t)w->n);
    tsl_store32(front + 4, (uint32_t)first);
    for (size_t i = 0; i < w->n; i++)
        tsl_store32(front + 8 + 4 * i, (uint32_t)first + w->ends[i]);
    memcpy(front + 8 + 4 * w->n, w->config, w->config_len);
    return 0;
}

enum { PART = 128 << 10 }; /* which the cache still has when it is hashed once more */

/* The shard as it is: each part goes to whoever writes as soon as it is hashed. */
static int write_plain(struct writer *w, const uint8_t *p, size_t n, struct tsl_err *err)
{
    struct tsl_xxh64 h;
    int rc = 0;
    tsl_xxh64_init(&h);
    for (size_t part; rc == 0 && n; p += part, n -= part) {
        part = n < PART ? n : PART;
        tsl_xxh64_add(&h, p, part);
        rc = tsl_recout_lend(&w->out, p, part, err);
    }
    w->raw_xxh64 = tsl_xxh64_end(&h);
    return rc;
}

static uint64_t hash_of_all(const uint8_t *p, size_t n)
{
    struct tsl_xxh64 h;
    tsl_xxh64_init(&h);
    tsl_xxh64_add(&h, p, n);
    return tsl_xxh64_end(&h);
}

/* The whole shard as one frame that tells its size. */
static int write_packed(struct writer *w, const uint8_t *p, size_t n, struct tsl_err *err)
{
    size_t cap = tsl_packer_bound(w->packer, n), packed;
    uint8_t *to = tsl_pages_map(cap, "a shard", err);
    if (!to)
        return TSL_ENOMEM;
    w->raw_xxh64 = hash_of_all(p, n);
    int rc = tsl_packer_run(w->packer, to, cap, p, n, &packed, err);
    if (rc == 0) {
        w->zip_xxh64 = hash_of_all(to, packed);
        rc = tsl_recout_write(&w->out, to, packed, err);
    }
    tsl_pages_unmap(to, cap);
    return rc;
}

static int end(void *p, struct tsl_err *err)
{
    struct writer *w = p;
    size_t front = (size_t)front_bytes(w), n = front + w->len;
    int rc = put_front(w, err);
    if (rc < 0)
        return rc;
    const uint8_t *shard = w->region + w->gap - front;
    w->raw_bytes = n;
    rc = w->level ? write_packed(w, shard, n, err) : write_plain(w, shard, n, err);
    return rc < 0 ? rc : tsl_recout_done(&w->out, err);
}

static void put_data(struct tsl_json *j, const char *key, const char *name, uint64_t n,
                     uint64_t xxh64)
{
    char hex[20];
    snprintf(hex, sizeof hex, "%016" PRIx64, xxh64);
    tsl_json_open(j, key, '{');
    tsl_json_str(j, "basename", name);
    tsl_json_u64(j, "bytes", n);
    tsl_json_open(j, "hashes", '{');
    tsl_json_str(j, "xxh64", hex);
    tsl_json_close(j, '}');
    tsl_json_close(j, '}');
}

/* The shard's entry in the index. */
static void note_shard(struct writer *w, const char *name, uint64_t zip_bytes)
{
    struct tsl_json *j = &w->index;
    char raw[4096];
    snprintf(raw, sizeof raw, "%s", name);
    if (w->level) /* without .zstd */
        raw[strlen(raw) - 5] = 0;
    if (j->len == 0) {
        tsl_json_open(j, NULL, '{');
        tsl_json_open(j, "shards", '[');
    }
    tsl_json_open(j, NULL, '{');
    put_columns(w, j);
    put_data(j, "raw_data", raw, w->raw_bytes, w->raw_xxh64);
    tsl_json_u64(j, "samples", w->n);
    tsl_json_u64(j, "size_limit", w->limit);
    tsl_json_u64(j, "version", 2);
    if (w->level)
        put_data(j, "zip_data", name, zip_bytes, w->zip_xxh64);
    else
        tsl_json_null(j, "zip_data");
    tsl_json_close(j, '}');
}

static int commit(void *p, const struct tsl_recfile **files, size_t *nfiles,
                  struct tsl_err *err)
{
    struct writer *w = p;
    int rc = tsl_recout_commit(&w->out, err);
    if (rc == 0)
        note_shard(w, w->out.file.name, w->out.file.bytes);
    *files = &w->out.file;
    *nfiles = 1;
    return rc;
}

static int adopt(void *p, const char *stem, uint64_t records, struct tsl_err *err)
{
    struct writer *w = p;
    const char *suffix = w->level ? ".mds.zstd" : ".mds", *slash = strrchr(stem, '/');
    size_t cap = strlen(stem) + 16;
    char *path = tsl_mem_alloc(cap, 1, "a name", err);
    if (!path)
        return TSL_ENOMEM;
    snprintf(path, cap, "%s%s", stem, suffix);
    w->n = (size_t)records;
    int rc = measure(path, true, &w->raw_bytes, &w->raw_xxh64, err);
    uint64_t zipped = 0;
    if (rc == 0 && w->level)
        rc = measure(path, false, &zipped, &w->zip_xxh64, err);
    if (rc == 0)
        note_shard(w, path + (slash ? slash + 1 - stem : 0), zipped);
    tsl_mem_free(path);
    w->n = 0;
    return rc;
}

static int make_index(void *p, const char **name, char **text, size_t *len,
                      struct tsl_err *err)
{
    struct writer *w = p;
    struct tsl_json *j = &w->index;
    if (j->len == 0) {
        tsl_json_open(j, NULL, '{');
        tsl_json_open(j, "shards", '[');
    }
    tsl_json_close(j, ']');
    tsl_json_u64(j, "version", 2);
    tsl_json_close(j, '}');
    int rc = tsl_json_end(j, err);
    if (rc < 0)
        return rc;
    *name = "index.json";
    *text = j->text;
    *len = j->len;
    *j = (struct tsl_json){ 0 };
    return 0;
}

const struct tsl_recformat tsl_rec_mds = {
    .name = "mds",
    .suffix = ".mds",
    .is = is,
    .reader_open = reader_open,
    .reader_destroy = reader_destroy,
    .next = next,
    .count = count,
    .at = at,
    .writer_create = writer_create,
    .writer_destroy = writer_destroy,
    .begin = begin,
    .put = put,
    .put_rows = put_rows,
    .bytes = bytes,
    .end = end,
    .commit = commit,
    .index = make_index,
    .adopt = adopt,
};
