#include "record/recset.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"
#include "record/manifest.h"

enum { KEPT = 128 };

static const char manifest_name[] = "manifest.json";

struct set {
    struct tsl_manifest m;
    struct tsl_recreader_opts opts;
    char *dir; /* with a slash at the end, or empty */
    struct tsl_recreader *shard;
    size_t now; /* the shard that is open, or is next */
    uint64_t i; /* the next record in it */
    /* For picking: where each shard ends, and the shards that are open beside the one at hand,
     * shard k at k % KEPT. */
    uint64_t *ends;
    struct tsl_recreader *kept[KEPT];
    size_t kept_shard[KEPT];
};

/* Adds up where shards end; from now on several stay open, and share the memory. */
static int begin_picking(struct set *s, struct tsl_err *err)
{
    uint64_t end = 0;
    s->ends = tsl_mem_alloc(s->m.nshards, sizeof *s->ends, "a set", err);
    if (!s->ends)
        return TSL_ENOMEM;
    for (size_t i = 0; i < s->m.nshards; i++)
        s->ends[i] = end += s->m.shards[i].records;
    s->opts.memory /= (s->m.nshards < KEPT ? s->m.nshards : KEPT) + 1;
    return 0;
}

/* The first shard that ends behind record i. */
static size_t shard_of(const struct set *s, uint64_t i)
{
    size_t low = 0, high = s->m.nshards - 1;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->ends[mid] > i)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

/* The shard at hand is put aside for another one, which may be open already. */
static void change_shard(struct set *s, size_t k)
{
    size_t to = s->now % KEPT, from = k % KEPT;
    if (s->shard) {
        tsl_recreader_destroy(s->kept[to]);
        s->kept[to] = s->shard;
        s->kept_shard[to] = s->now;
        s->shard = NULL;
    }
    if (s->kept[from] && s->kept_shard[from] == k) {
        s->shard = s->kept[from];
        s->kept[from] = NULL;
    }
    s->now = k;
}

static void set_destroy(void *p)
{
    struct set *s = p;
    if (!s)
        return;
    for (size_t i = 0; i < KEPT; i++)
        tsl_recreader_destroy(s->kept[i]);
    tsl_recreader_destroy(s->shard);
    tsl_mem_free(s->ends);
    tsl_manifest_fini(&s->m);
    tsl_mem_free(s->dir);
    tsl_mem_free(s);
}

static char *join(const char *a, const char *b, const char *c, struct tsl_err *err)
{
    size_t n = strlen(a) + strlen(b) + strlen(c) + 1;
    char *s = tsl_mem_alloc(n, 1, "a name", err);
    if (s)
        snprintf(s, n, "%s%s%s", a, b, c);
    return s;
}

static bool is(const char *path, const uint8_t *bytes, size_t n)
{
    if (bytes)
        return tsl_manifest_is(bytes, n);
    char name[4096]; /* a path that is longer cannot be opened either */
    return snprintf(name, sizeof name, "%s/%s", path, manifest_name) < (int)sizeof name &&
           tsl_file_exists(name);
}

static int open_shard(struct set *s, struct tsl_err *err)
{
    const struct tsl_shard *shard = &s->m.shards[s->now];
    const struct tsl_recformat *f = tsl_recformat_named(s->m.format);
    if (!f || f == &tsl_rec_set)
        return tsl_err_set(err, TSL_EFORMAT, "%smanifest.json: unknown format %s", s->dir,
                           tsl_quote(s->m.format).s);
    char *path = f->several_files ? join(s->dir, shard->stem, f->suffix, err)
                                  : join(s->dir, shard->files[0].name, "", err);
    if (!path)
        return TSL_ENOMEM;
    int rc = tsl_recreader_open(&s->shard, path, &s->opts, err);
    tsl_mem_free(path);
    s->i = 0;
    return rc;
}

/* The shard that is needed now, with the set's columns. */
static int need_shard(struct set *s, struct tsl_err *err)
{
    int rc = s->shard ? 0 : open_shard(s, err);
    if (rc < 0 ||
        tsl_schema_equal(&tsl_recreader_head(s->shard)->schema, &s->m.head.schema))
        return rc;
    return tsl_err_set(err, TSL_EFORMAT, "%s%s: its columns are not those of the set",
                       s->dir, tsl_quote(s->m.shards[s->now].files[0].name).s);
}

static int wrong_count(const struct set *s, const char *how, struct tsl_err *err)
{
    const struct tsl_shard *shard = &s->m.shards[s->now];
    return tsl_err_set(err, TSL_EFORMAT,
                       "%s%s: it holds %s records than the %" PRIu64
                       " that the manifest says",
                       s->dir, tsl_quote(shard->files[0].name).s, how, shard->records);
}

/* The columns as the shards' format gives them back: the manifest knows bits from numbers,
 * a format perhaps not. */
static int take_schema(struct set *s, struct tsl_rechead *head, struct tsl_err *err)
{
    head->schema = s->m.head.schema;
    head->first = s->m.head.first;
    head->meta = tsl_mem_strdup(s->m.head.meta, err);
    if (!head->meta)
        return TSL_ENOMEM;
    if (s->m.nshards == 0)
        return 0;
    int rc = open_shard(s, err);
    if (rc == 0)
        head->schema = tsl_recreader_head(s->shard)->schema;
    if (rc == 0 &&
        head->schema.ncolumns == 0) /* which a format tells by its first record */
        rc = wrong_count(s, "fewer", err);
    s->m.head.schema = head->schema;
    return rc;
}

static int set_open(void **out, struct tsl_rechead *head, const char *path,
                    struct tsl_source *src, const struct tsl_recreader_opts *o,
                    struct tsl_err *err)
{
    bool folder = tsl_file_is_folder(path);
    const char *slash = strrchr(path, '/');
    struct set *s = tsl_mem_alloc(1, sizeof *s, "a set", err);
    if (!s)
        return TSL_ENOMEM;
    s->dir = tsl_mem_alloc(strlen(path) + 2, 1, "a name", err);
    int rc = s->dir ? 0 : TSL_ENOMEM;
    if (rc == 0 && folder)
        sprintf(s->dir, "%s/", path);
    else if (rc == 0 && slash)
        memcpy(s->dir, path, (size_t)(slash - path) + 1);
    if (rc == 0 && folder) {
        char *name = join(s->dir, manifest_name, "", err);
        rc = name ? tsl_source_open(src, name, 0, err) : TSL_ENOMEM;
        if (rc == 0)
            rc = tsl_manifest_read(&s->m, name, src, o->memory, err);
        tsl_mem_free(name);
        tsl_source_close(src, NULL);
    } else if (rc == 0) {
        rc = tsl_manifest_read(&s->m, path, src, o->memory, err);
    }
    s->opts = *o;
    s->opts.format = s->m.format;
    s->opts.schema = &s->m.head.schema;
    if (rc == 0)
        rc = take_schema(s, head, err);
    if (rc < 0) {
        set_destroy(s);
        return rc;
    }
    *out = s;
    return 0;
}

static void close_shard(struct set *s)
{
    tsl_recreader_destroy(s->shard);
    s->shard = NULL;
}

static void number_it(const struct set *s, struct tsl_record *rec)
{
    const struct tsl_manifest *m = &s->m;
    rec->number = m->dealt ? m->head.first + s->i * m->nshards + s->now
                           : m->shards[s->now].first + s->i;
}

static int set_next(void *p, struct tsl_record *rec, struct tsl_err *err)
{
    struct set *s = p;
    for (; s->now < s->m.nshards; s->now++) {
        int rc = need_shard(s, err);
        if (rc < 0)
            return rc;
        rc = tsl_recreader_next(s->shard, rec, err);
        if (rc == 1 && s->i == s->m.shards[s->now].records)
            return wrong_count(s, "more", err);
        if (rc == 1) {
            number_it(s, rec);
            s->i++;
        }
        if (rc)
            return rc;
        if (s->i < s->m.shards[s->now].records)
            return wrong_count(s, "fewer", err);
        close_shard(s);
    }
    return 0;
}

/* The shard's rows, in shards that are runs of the set's records. */
static int set_rows(void *p, struct tsl_recrows *rows, struct tsl_err *err)
{
    struct set *s = p;
    rows->n = 0;
    if (s->m.dealt || s->now == s->m.nshards)
        return 1; /* next knows */
    int rc = need_shard(s, err);
    if (rc == 0)
        rc = tsl_recreader_rows(s->shard, rows, err);
    if (rc < 0)
        return rc;
    if (rows->n > s->m.shards[s->now].records - s->i)
        return wrong_count(s, "more", err);
    rows->first = s->m.shards[s->now].first + s->i;
    s->i += rows->n;
    return 1; /* of a shard that ended, too */
}

static int set_count(void *p, uint64_t *n, struct tsl_err *err)
{
    (void)err;
    *n = ((struct set *)p)->m.records;
    return 0;
}

/* The shard at hand holds what the manifest says, as far as it tells that before it is read. */
static int check_count(const struct set *s, struct tsl_err *err)
{
    struct tsl_err why = { 0 };
    uint64_t n, want = s->m.shards[s->now].records;
    int rc = tsl_recreader_count(s->shard, &n, &why);
    if (rc == TSL_EUSAGE)
        return 0;
    if (rc < 0)
        return tsl_err_pass(err, &why);
    return n == want ? 0 : wrong_count(s, n < want ? "fewer" : "more", err);
}

static int set_at(void *p, uint64_t i, struct tsl_record *rec, struct tsl_err *err)
{
    struct set *s = p;
    int rc = 0;
    if (i >= s->m.records)
        return tsl_err_set(err, TSL_EUSAGE, "record %" PRIu64 " of %" PRIu64, i,
                           s->m.records);
    if (!s->ends)
        rc = begin_picking(s, err);
    if (rc < 0)
        return rc;
    size_t k = shard_of(s, i);
    uint64_t first = k ? s->ends[k - 1] : 0;
    if (s->now != k)
        change_shard(s, k);
    rc = need_shard(s, err);
    if (rc < 0)
        return rc;
    rc = check_count(s, err);
    if (rc == 0)
        rc = tsl_recreader_at(s->shard, i - first, rec, err);
    if (rc < 0)
        return rc;
    s->i = i - first;
    number_it(s, rec);
    s->i++;
    return 1;
}

const struct tsl_recformat tsl_rec_set = {
    .name = "set",
    .suffix = "",
    .is = is,
    .reader_open = set_open,
    .reader_destroy = set_destroy,
    .next = set_next,
    .rows = set_rows,
    .count = set_count,
    .at = set_at,
};
