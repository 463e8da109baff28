#include "record/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"

static const char kind[] = "records 1";

bool tsl_manifest_is(const uint8_t *p, size_t n)
{
    static const char member[] = "\"teasel\"";
    size_t i = 0;
    while (i < n && strchr("{ \t\r\n", p[i]))
        i++;
    return i && n - i >= sizeof member - 1 &&
           memcmp(p + i, member, sizeof member - 1) == 0;
}

void tsl_shard_fini(struct tsl_shard *s)
{
    for (size_t i = 0; i < s->nfiles; i++)
        tsl_mem_free(s->files[i].name);
    tsl_mem_free(s->files);
    tsl_mem_free(s->stem);
    *s = (struct tsl_shard){ 0 };
}

void tsl_manifest_fini(struct tsl_manifest *m)
{
    for (size_t i = 0; i < m->nshards; i++)
        tsl_shard_fini(&m->shards[i]);
    tsl_mem_free(m->shards);
    tsl_mem_free(m->format);
    tsl_mem_free(m->made_by);
    tsl_mem_free(m->job);
    tsl_mem_free(m->index.name);
    tsl_rechead_fini(&m->head);
    *m = (struct tsl_manifest){ 0 };
}

int tsl_manifest_add(struct tsl_manifest *m, const struct tsl_shard *s,
                     struct tsl_err *err)
{
    int rc = tsl_mem_grow(&m->shards, &m->cap, m->nshards + 1, sizeof *m->shards,
                          "a list of shards", err);
    if (rc < 0)
        return rc;
    struct tsl_shard *t = &m->shards[m->nshards];
    *t = (struct tsl_shard){ .first = s->first, .records = s->records };
    t->stem = tsl_mem_strdup(s->stem, err);
    t->files = tsl_mem_alloc(s->nfiles, sizeof *t->files, "a list of files", err);
    rc = t->stem && t->files ? 0 : TSL_ENOMEM;
    for (size_t i = 0; rc == 0 && i < s->nfiles; i++) {
        t->files[i] = s->files[i];
        t->files[i].name = tsl_mem_strdup(s->files[i].name, err);
        t->nfiles++;
        if (!t->files[i].name)
            rc = TSL_ENOMEM;
    }
    if (rc < 0) {
        tsl_shard_fini(t);
        return rc;
    }
    m->nshards++;
    m->records += s->records;
    return 0;
}

/* ---- writing ---- */

static void put_file(const struct tsl_recfile *f, const char *key, struct tsl_json *j)
{
    char hex[20];
    snprintf(hex, sizeof hex, "%016" PRIx64, f->xxh3);
    tsl_json_open(j, key, '{');
    tsl_json_str(j, "name", f->name);
    tsl_json_u64(j, "bytes", f->bytes);
    tsl_json_str(j, "xxh3", hex);
    tsl_json_close(j, '}');
}

void tsl_manifest_write_shard(const struct tsl_shard *s, const char *key,
                              struct tsl_json *j)
{
    tsl_json_open(j, key, '{');
    tsl_json_str(j, "stem", s->stem);
    tsl_json_u64(j, "first", s->first);
    tsl_json_u64(j, "records", s->records);
    tsl_json_open(j, "files", '[');
    for (size_t i = 0; i < s->nfiles; i++)
        put_file(&s->files[i], NULL, j);
    tsl_json_close(j, ']');
    tsl_json_close(j, '}');
}

static struct tsl_slice text(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

void tsl_manifest_write(const struct tsl_manifest *m, struct tsl_json *j)
{
    tsl_json_open(j, NULL, '{');
    tsl_json_str(j, "teasel", kind);
    tsl_json_str(j, "made_by", m->made_by ? m->made_by : "");
    tsl_json_str(j, "format", m->format);
    tsl_json_u64(j, "records", m->records);
    tsl_json_u64(j, "first", m->head.first);
    tsl_json_bool(j, "round_robin", m->dealt);
    tsl_schema_write(&m->head.schema, "schema", j);
    tsl_json_raw(j, "meta", text(m->head.meta ? m->head.meta : "{}"));
    tsl_json_raw(j, "job", text(m->job ? m->job : "{}"));
    tsl_json_open(j, "shards", '[');
    for (size_t i = 0; i < m->nshards; i++)
        tsl_manifest_write_shard(&m->shards[i], NULL, j);
    tsl_json_close(j, ']');
    if (m->index.name)
        put_file(&m->index, "index", j);
    tsl_json_close(j, '}');
}

/* ---- reading ---- */

static char *member(const struct tsl_jsonval *v, const char *key, const char *where,
                    struct tsl_err *err)
{
    struct tsl_slice s;
    if (!tsl_jsonread_str(tsl_jsonread_get(v, key), &s) || memchr(s.data, 0, s.len)) {
        tsl_err_set(err, TSL_EFORMAT, "%s: \"%s\" is %s, not a string", where, key,
                    tsl_jsonread_kind_name(tsl_jsonread_get(v, key)));
        return NULL;
    }
    char *copy = tsl_mem_alloc(s.len + 1, 1, "a manifest", err);
    if (copy && s.len)
        memcpy(copy, s.data, s.len);
    return copy;
}

static int number(const struct tsl_jsonval *v, const char *key, uint64_t *n,
                  const char *where, struct tsl_err *err)
{
    int64_t i;
    if (!tsl_jsonread_int(tsl_jsonread_get(v, key), &i) || i < 0)
        return tsl_err_set(err, TSL_EFORMAT, "%s: \"%s\" is no count", where, key);
    *n = (uint64_t)i;
    return 0;
}

/* A name of a file in the folder, and in no other. */
static int stays(const char *name, const char *where, struct tsl_err *err)
{
    if (name[0] && name[0] != '/' && !strstr(name, ".."))
        return 0;
    return tsl_err_set(err, TSL_EFORMAT, "%s: %s: a name that leads out of the folder",
                       where, tsl_quote(name).s);
}

static int code(const struct tsl_err *err)
{
    return err && err->code ? err->code : TSL_EFORMAT;
}

static int read_file(struct tsl_recfile *f, const struct tsl_jsonval *v,
                     const char *where, struct tsl_err *err)
{
    f->name = member(v, "name", where, err);
    if (!f->name)
        return code(err);
    int rc = stays(f->name, where, err);
    if (rc == 0)
        rc = number(v, "bytes", &f->bytes, where, err);
    char *hex = rc < 0 ? NULL : member(v, "xxh3", where, err), *end;
    if (!hex)
        return code(err);
    f->xxh3 = strtoull(hex, &end, 16);
    if (strspn(hex, "0123456789abcdef") != 16 || end != hex + 16 || *end)
        rc =
            tsl_err_set(err, TSL_EFORMAT, "%s: xxh3 is not 16 hexadecimal digits", where);
    tsl_mem_free(hex);
    return rc;
}

int tsl_manifest_read_shard(struct tsl_shard *s, const struct tsl_jsonval *v,
                            const char *where, struct tsl_err *err)
{
    const struct tsl_jsonval *files = tsl_jsonread_get(v, "files");
    size_t n = tsl_jsonread_size(files);
    *s = (struct tsl_shard){ 0 };
    s->stem = member(v, "stem", where, err);
    if (!s->stem)
        return code(err);
    int rc = stays(s->stem, where, err);
    if (rc == 0)
        rc = number(v, "first", &s->first, where, err);
    if (rc == 0)
        rc = number(v, "records", &s->records, where, err);
    if (rc == 0 && (tsl_jsonread_kind(files) != TSL_JSON_ARRAY || n == 0))
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: it has no files", where);
    if (rc == 0) {
        s->files = tsl_mem_alloc(n, sizeof *s->files, "a list of files", err);
        rc = s->files ? 0 : TSL_ENOMEM;
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        s->nfiles++;
        rc = read_file(&s->files[i], tsl_jsonread_at(files, i), where, err);
    }
    if (rc < 0)
        tsl_shard_fini(s);
    return rc;
}

static int read_shards(struct tsl_manifest *m, const struct tsl_jsonval *v,
                       const char *where, struct tsl_err *err)
{
    uint64_t records = 0, said = m->records;
    char at[700];
    m->records = 0;
    for (size_t i = 0; i < tsl_jsonread_size(v); i++) {
        struct tsl_shard s;
        snprintf(at, sizeof at, "%s: shard %zu", where, i);
        int rc = tsl_manifest_read_shard(&s, tsl_jsonread_at(v, i), at, err);
        if (rc == 0 && !m->dealt && s.first != m->head.first + records)
            rc = tsl_err_set(err, TSL_EFORMAT,
                             "%s: its first record is %" PRIu64 "; those before it end "
                             "with %" PRIu64,
                             at, s.first, m->head.first + records);
        if (rc == 0 && __builtin_add_overflow(records, s.records, &records))
            rc =
                tsl_err_set(err, TSL_EFORMAT, "%s: more records than can be counted", at);
        if (rc == 0)
            rc = tsl_manifest_add(m, &s, err);
        tsl_shard_fini(&s);
        if (rc < 0)
            return rc;
    }
    if (records != said)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: \"records\" is %" PRIu64 ", its shards have %" PRIu64,
                           where, said, records);
    return 0;
}

static int read_root(struct tsl_manifest *m, const struct tsl_jsonval *root,
                     const char *where, struct tsl_err *err)
{
    const struct tsl_jsonval *meta = tsl_jsonread_get(root, "meta");
    const struct tsl_jsonval *job = tsl_jsonread_get(root, "job");
    const struct tsl_jsonval *index = tsl_jsonread_get(root, "index");
    const struct tsl_jsonval *shards = tsl_jsonread_get(root, "shards");
    char *is = member(root, "teasel", where, err);
    int rc = is ? 0 : code(err);
    if (rc == 0 && strcmp(is, kind) != 0)
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: it describes %s, not '%s'", where,
                         tsl_quote(is).s, kind);
    tsl_mem_free(is);
    if (rc == 0)
        rc = (m->format = member(root, "format", where, err)) ? 0 : code(err);
    if (rc == 0)
        rc = (m->made_by = member(root, "made_by", where, err)) ? 0 : code(err);
    if (rc == 0)
        rc = number(root, "records", &m->records, where, err);
    if (rc == 0)
        rc = number(root, "first", &m->head.first, where, err);
    tsl_jsonread_bool(tsl_jsonread_get(root, "round_robin"), &m->dealt);
    if (rc == 0)
        rc = tsl_schema_read(&m->head.schema, tsl_jsonread_get(root, "schema"), where,
                             err);
    if (rc == 0 && (tsl_jsonread_kind(meta) != TSL_JSON_OBJECT ||
                    tsl_jsonread_kind(job) != TSL_JSON_OBJECT ||
                    tsl_jsonread_kind(shards) != TSL_JSON_ARRAY))
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: meta, job or shards is missing", where);
    if (rc == 0)
        rc = (m->head.meta = tsl_jsonread_text(meta, err)) ? 0 : TSL_ENOMEM;
    if (rc == 0)
        rc = (m->job = tsl_jsonread_text(job, err)) ? 0 : TSL_ENOMEM;
    if (rc == 0)
        rc = read_shards(m, shards, where, err);
    if (rc == 0 && tsl_jsonread_kind(index) == TSL_JSON_OBJECT)
        rc = read_file(&m->index, index, where, err);
    return rc;
}

int tsl_manifest_read(struct tsl_manifest *m, const char *path, struct tsl_source *src,
                      uint64_t memory, struct tsl_err *err)
{
    enum { CHUNK = 64 << 10 };
    char *bytes = NULL;
    size_t cap = 0, len = 0;
    struct tsl_jsonread *doc;
    int64_t got;
    int rc;
    *m = (struct tsl_manifest){ 0 };
    do {
        rc = tsl_mem_grow(&bytes, &cap, len + CHUNK, 1, "a manifest", err);
        got = rc < 0 ? rc : tsl_source_read(src, (uint8_t *)bytes + len, CHUNK, err);
        len += got > 0 ? (size_t)got : 0;
    } while (got > 0 && len < memory / 4);
    if (got > 0)
        got = tsl_err_set(err, TSL_EFORMAT, "%s: a manifest of more than %zu bytes",
                          tsl_quote(path).s, len);
    rc = got < 0 ? (int)got
                 : tsl_jsonread_parse(&doc, (struct tsl_slice){ (uint8_t *)bytes, len },
                                      tsl_quote(path).s, err);
    if (rc == 0) {
        char where[600];
        snprintf(where, sizeof where, "%s", tsl_quote(path).s);
        rc = read_root(m, tsl_jsonread_root(doc), where, err);
        tsl_jsonread_destroy(doc);
    }
    tsl_mem_free(bytes);
    if (rc < 0)
        tsl_manifest_fini(m);
    return rc;
}
