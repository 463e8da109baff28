#include "record/rec_native.h"

#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "record/recindex.h"
#include "record/recout.h"

static bool is_native(const char *path, const uint8_t *p, size_t n)
{
    (void)path;
    return p && n >= sizeof tsl_recindex_magic &&
           memcmp(p, tsl_recindex_magic, sizeof tsl_recindex_magic) == 0;
}

/* ---- reading, for the face ---- */

static int reader_open(void **out, struct tsl_rechead *head, const char *path,
                       struct tsl_source *src, const struct tsl_recreader_opts *o,
                       struct tsl_err *err)
{
    struct tsl_recnative_reader *r;
    if (src->file.fd < 0)
        return tsl_err_set(err, TSL_EUSAGE, "%s: a folder, but native records are files",
                           path);
    int rc = tsl_recnative_reader_of_source(&r, src, o, err);
    if (rc == 0)
        rc = tsl_rechead_copy(head, tsl_recnative_reader_head(r), err);
    else
        r = NULL;
    if (rc == 0)
        *out = r;
    else
        tsl_recnative_reader_destroy(r);
    return rc;
}

static void reader_destroy(void *r)
{
    tsl_recnative_reader_destroy(r);
}

static int reader_next(void *r, struct tsl_record *rec, struct tsl_err *err)
{
    return tsl_recnative_reader_next(r, rec, err);
}

static int reader_rows(void *r, struct tsl_recrows *rows, struct tsl_err *err)
{
    return tsl_recnative_reader_rows(r, rows, err);
}

static int reader_count(void *r, uint64_t *n, struct tsl_err *err)
{
    struct tsl_recnative_counts counts;
    int rc = tsl_recnative_reader_count(r, &counts, err);
    if (rc == 0)
        *n = counts.nrecords;
    return rc;
}

static int reader_at(void *r, uint64_t i, struct tsl_record *rec, struct tsl_err *err)
{
    return tsl_recnative_reader_at(r, i, rec, err);
}

/* ---- writing, for the face ---- */

struct shards {
    struct tsl_rechead head; /* first: of the next shard */
    struct tsl_recnative_opts o;
    struct tsl_rechelp help;
    struct tsl_recnative_writer *w;
    struct tsl_recout out;
};

static void writer_destroy(void *p)
{
    struct shards *s = p;
    tsl_recnative_writer_destroy(s->w);
    tsl_recout_close(&s->out);
    tsl_rechead_fini(&s->head);
    tsl_mem_free(s);
}

static int writer_create(void **out, const struct tsl_rechead *head,
                         const struct tsl_recwriter_opts *o, struct tsl_err *err)
{
    struct shards *s = tsl_mem_alloc(1, sizeof *s, "a writer", err);
    if (!s)
        return TSL_ENOMEM;
    s->o.zstd_level = o->zstd_level;
    s->help = o->help;
    int rc = tsl_rechead_copy(&s->head, head, err);
    if (rc == 0 && head->schema.ncolumns == 0)
        rc = tsl_err_set(err, TSL_EUSAGE, "records without columns cannot be written");
    if (rc == 0)
        *out = s;
    else
        writer_destroy(s);
    return rc;
}

static int writer_begin(void *p, const char *stem, struct tsl_err *err)
{
    struct shards *s = p;
    tsl_recout_close(&s->out);
    int rc = tsl_recout_open(&s->out, stem, tsl_rec_native.suffix, TSL_CODEC_NONE, 0,
                             &s->help, err);
    return rc < 0
               ? rc
               : tsl_recnative_writer_create(&s->w, &s->out.sink, &s->head, &s->o, err);
}

static int writer_put(void *p, const struct tsl_record *rec, struct tsl_err *err)
{
    return tsl_recnative_writer_put(((struct shards *)p)->w, rec->values, err);
}

static int writer_put_rows(void *p, const struct tsl_recrows *rows, struct tsl_err *err)
{
    return tsl_recnative_writer_put_rows(((struct shards *)p)->w, rows, err);
}

static uint64_t writer_bytes(const void *p)
{
    return tsl_recnative_writer_bytes(((const struct shards *)p)->w);
}

static int writer_end(void *p, struct tsl_err *err)
{
    struct shards *s = p;
    struct tsl_recnative_counts n;
    int rc = tsl_recnative_writer_finish(s->w, err);
    if (rc < 0)
        return rc;
    tsl_recnative_writer_counts(s->w, &n);
    s->head.first += n.nrecords;
    tsl_recnative_writer_destroy(s->w);
    s->w = NULL;
    return tsl_recout_done(&s->out, err);
}

static int writer_commit(void *p, const struct tsl_recfile **files, size_t *nfiles,
                         struct tsl_err *err)
{
    struct shards *s = p;
    *files = &s->out.file;
    *nfiles = 1;
    return tsl_recout_commit(&s->out, err);
}

const struct tsl_recformat tsl_rec_native = {
    .name = "native",
    .suffix = ".tslrec",
    .is = is_native,
    .reader_open = reader_open,
    .reader_destroy = reader_destroy,
    .next = reader_next,
    .rows = reader_rows,
    .count = reader_count,
    .at = reader_at,
    .writer_create = writer_create,
    .writer_destroy = writer_destroy,
    .begin = writer_begin,
    .put = writer_put,
    .put_rows = writer_put_rows,
    .bytes = writer_bytes,
    .end = writer_end,
    .commit = writer_commit,
};
