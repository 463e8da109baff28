#include "record/record.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"
#include "record/rec_jsonl.h"
#include "record/rec_mds.h"
#include "record/rec_megatron.h"
#include "record/rec_npy.h"
#include "record/rec_raw.h"
#include "record/rec_tfrecord.h"
#include "record/rec_webdataset.h"
#include "record/recout.h"
#include "record/recset.h"

enum { WINDOW_MAX = 128 << 20 };

/* In the order in which content is told apart: the surer the signs, the earlier. */
static const struct tsl_recformat *const formats[] = {
    &tsl_rec_set,        /* manifest.json */
    &tsl_rec_native,     /* magic */
    &tsl_rec_megatron,   /* magic */
    &tsl_rec_npy,        /* magic */
    &tsl_rec_llmc,       /* magic */
    &tsl_rec_datatrove,  /* a name */
    &tsl_rec_webdataset, /* a checksum */
    &tsl_rec_tfrecord,   /* a checksum */
    &tsl_rec_mds,        /* offsets that fit */
    &tsl_rec_jsonl,      /* a brace */
    &tsl_rec_u16,        /* not told by content */
    &tsl_rec_u32,        NULL,
};

const struct tsl_recformat *const *tsl_recformats(void)
{
    return formats;
}

const struct tsl_recformat *tsl_recformat_named(const char *name)
{
    for (size_t i = 0; formats[i]; i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    return NULL;
}

static int format_of(const struct tsl_recformat **f, const char *name,
                     struct tsl_err *err)
{
    char names[256] = "";
    *f = tsl_recformat_named(name);
    if (*f)
        return 0;
    for (size_t i = 0, n = 0; formats[i]; i++) {
        size_t k = strlen(formats[i]->name);
        if (n + k + 3 > sizeof names)
            break;
        if (n) {
            memcpy(names + n, ", ", 2);
            n += 2;
        }
        memcpy(names + n, formats[i]->name, k + 1);
        n += k;
    }
    return tsl_err_set(err, TSL_EUSAGE, "%s: no format of records; there are %s",
                       tsl_quote(name).s, names);
}

void tsl_rechead_fini(struct tsl_rechead *h)
{
    tsl_mem_free(h->meta);
    *h = (struct tsl_rechead){ .first = 0 };
}

int tsl_rechead_copy(struct tsl_rechead *to, const struct tsl_rechead *from,
                     struct tsl_err *err)
{
    struct tsl_rechead h = { from->schema, NULL, from->first };
    if (from->meta && !(h.meta = tsl_mem_strdup(from->meta, err)))
        return TSL_ENOMEM;
    *to = h;
    return 0;
}

/* ---- reading ---- */

struct tsl_recreader {
    const struct tsl_recformat *f;
    void *r;
    struct tsl_rechead head;
};

static int open_itself(struct tsl_recreader *r, const char *path,
                       const struct tsl_recreader_opts *o, struct tsl_err *err)
{
    struct tsl_source none = TSL_SOURCE_CLOSED;
    return r->f->reader_open(&r->r, &r->head, path, &none, o, err);
}

/* A set's shards one after the other would be opened here: its manifest names them. */
static int open_folder(struct tsl_recreader *r, const char *path,
                       const struct tsl_recreader_opts *o, struct tsl_err *err)
{
    for (size_t i = 0; !r->f && formats[i]; i++)
        if (formats[i]->reader_open && formats[i]->is(path, NULL, 0))
            r->f = formats[i];
    if (!r->f)
        return tsl_err_set(err, TSL_EFORMAT, "%s: a folder, but no set of records",
                           tsl_quote(path).s);
    return open_itself(r, path, o, err);
}

/* Does path stand for all files of a shard? */
static bool names_several(const struct tsl_recformat *f, const char *path)
{
    size_t n = strlen(path), k = strlen(f->suffix);
    return f->several_files && n > k && strcmp(path + n - k, f->suffix) == 0;
}

static int open_file(struct tsl_recreader *r, const char *path,
                     const struct tsl_recreader_opts *o, struct tsl_err *err)
{
    uint8_t first[TSL_REC_SNIFF];
    struct tsl_source src;
    int rc = tsl_source_open(&src, path, WINDOW_MAX, err);
    if (rc < 0)
        return rc;
    int64_t n = tsl_source_read(&src, first, sizeof first, err);
    rc = n < 0 ? (int)n : tsl_source_unread(&src, first, (size_t)n, err);
    if (rc < 0)
        goto out;
    for (size_t i = 0; !r->f && formats[i]; i++)
        if (formats[i]->reader_open && formats[i]->is(path, first, (size_t)n))
            r->f = formats[i];
    if (!r->f)
        rc = tsl_err_set(err, TSL_EFORMAT,
                         n ? "%s: records of no format that is known here" : "%s: empty",
                         src.file.name);
    else
        rc = r->f->reader_open(&r->r, &r->head, path, &src, o, err);
out:
    tsl_source_close(&src, NULL);
    return rc;
}

int tsl_recreader_open(struct tsl_recreader **out, const char *path,
                       const struct tsl_recreader_opts *opts, struct tsl_err *err)
{
    struct tsl_recreader *r = tsl_mem_alloc(1, sizeof *r, "a reader", err);
    struct tsl_recreader_opts o = *opts;
    int rc = r ? 0 : TSL_ENOMEM;
    if (rc == 0 && !o.memory)
        o.memory = 64 << 20;
    if (rc == 0 && o.format)
        rc = format_of(&r->f, o.format, err);
    if (rc == 0 && r->f && !r->f->reader_open)
        rc = tsl_err_set(err, TSL_EUSAGE, "%s can only be written", r->f->name);
    if (rc == 0)
        rc = tsl_file_is_folder(path)            ? open_folder(r, path, &o, err)
             : r->f && names_several(r->f, path) ? open_itself(r, path, &o, err)
                                                 : open_file(r, path, &o, err);
    if (rc == 0)
        *out = r;
    else
        tsl_recreader_destroy(r);
    return rc;
}

void tsl_recreader_destroy(struct tsl_recreader *r)
{
    if (!r)
        return;
    if (r->r)
        r->f->reader_destroy(r->r);
    tsl_rechead_fini(&r->head);
    tsl_mem_free(r);
}

const struct tsl_rechead *tsl_recreader_head(const struct tsl_recreader *r)
{
    return &r->head;
}

const char *tsl_recreader_format(const struct tsl_recreader *r)
{
    return r->f->name;
}

int tsl_recreader_next(struct tsl_recreader *r, struct tsl_record *rec,
                       struct tsl_err *err)
{
    return r->f->next(r->r, rec, err);
}

int tsl_recreader_rows(struct tsl_recreader *r, struct tsl_recrows *rows,
                       struct tsl_err *err)
{
    rows->n = 0;
    return r->f->rows ? r->f->rows(r->r, rows, err) : 1;
}

int tsl_recreader_count(struct tsl_recreader *r, uint64_t *n, struct tsl_err *err)
{
    if (!r->f->count)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s has no index: records can only be counted "
                           "by reading them",
                           r->f->name);
    return r->f->count(r->r, n, err);
}

int tsl_recreader_at(struct tsl_recreader *r, uint64_t i, struct tsl_record *rec,
                     struct tsl_err *err)
{
    if (!r->f->at)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s has no index: records cannot be picked by number",
                           r->f->name);
    int rc = r->f->at(r->r, i, rec, err);
    return rc < 0 ? rc : 1;
}

void tsl_recrows_skip(struct tsl_recrows *r, const struct tsl_schema *s, uint32_t n)
{
    for (size_t i = 0; n && i < s->ncolumns; i++) {
        const struct tsl_column *c = &s->columns[i];
        struct tsl_recrows_column *l = &r->columns[i];
        if (l->ends) {
            l->begin = l->ends[n - 1];
            l->ends += n;
        } else {
            l->values += (size_t)n * c->count * tsl_dtype_bytes(c->type);
        }
    }
    r->first += n;
    r->n -= n;
}

int tsl_recrows_each(const struct tsl_recrows *r, const struct tsl_schema *s, void *w,
                     int (*put)(void *w, const struct tsl_record *rec,
                                struct tsl_err *err),
                     struct tsl_err *err)
{
    struct tsl_value values[TSL_COLUMNS_MAX];
    struct tsl_record rec = { .values = values };
    size_t sizes[TSL_COLUMNS_MAX];
    int rc = 0;
    for (size_t i = 0; i < s->ncolumns; i++) {
        sizes[i] = tsl_dtype_bytes(s->columns[i].type);
        values[i] = (struct tsl_value){ r->columns[i].values, NULL, s->columns[i].count };
    }
    for (uint32_t k = 0; rc == 0 && k < r->n; k++) {
        rec.number = r->first + k;
        for (size_t i = 0; i < s->ncolumns; i++) {
            const struct tsl_recrows_column *l = &r->columns[i];
            struct tsl_value *v = &values[i];
            uint32_t from = k * s->columns[i].count;
            if (l->ends) {
                from = k ? l->ends[k - 1] : l->begin;
                v->n = l->ends[k] - from;
            }
            v->data = l->values + from * sizes[i];
        }
        rc = put(w, &rec, err);
    }
    return rc;
}

/* ---- writing ---- */

struct tsl_recwriter {
    const struct tsl_recformat *f;
    void *w;
    struct tsl_schema schema;
};

int tsl_recwriter_create(struct tsl_recwriter **out, const struct tsl_rechead *head,
                         const struct tsl_recwriter_opts *opts, struct tsl_err *err)
{
    struct tsl_recwriter *w = tsl_mem_alloc(1, sizeof *w, "a writer", err);
    struct tsl_recwriter_opts o = *opts;
    int rc = w ? 0 : TSL_ENOMEM;
    if (rc == 0 && !o.memory)
        o.memory = 64 << 20;
    if (rc == 0)
        rc = format_of(&w->f, o.format ? o.format : "native", err);
    if (rc == 0 && !w->f->writer_create)
        rc = tsl_err_set(err, TSL_EUSAGE, "%s can only be read", w->f->name);
    if (rc == 0) {
        w->schema = head->schema;
        rc = w->f->writer_create(&w->w, head, &o, err);
    }
    if (rc == 0)
        *out = w;
    else
        tsl_recwriter_destroy(w);
    return rc;
}

void tsl_recwriter_destroy(struct tsl_recwriter *w)
{
    if (!w)
        return;
    if (w->w)
        w->f->writer_destroy(w->w);
    tsl_mem_free(w);
}

int tsl_recwriter_begin(struct tsl_recwriter *w, const char *stem, struct tsl_err *err)
{
    return w->f->begin(w->w, stem, err);
}

static int miscounted(const struct tsl_column *c, uint32_t n, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EUSAGE, "column %s: %u values, but each record has %u",
                       tsl_quote(c->name).s, n, c->count);
}

int tsl_recwriter_put(struct tsl_recwriter *w, const struct tsl_record *rec,
                      struct tsl_err *err)
{
    for (size_t i = 0; i < w->schema.ncolumns; i++) {
        const struct tsl_column *c = &w->schema.columns[i];
        if (c->count && rec->values[i].n != c->count)
            return miscounted(c, rec->values[i].n, err);
    }
    return w->f->put(w->w, rec, err);
}

/* Rows have of each column what it is to have. */
static int check_rows(const struct tsl_recwriter *w, const struct tsl_recrows *rows,
                      struct tsl_err *err)
{
    for (size_t i = 0; i < w->schema.ncolumns; i++) {
        const struct tsl_column *c = &w->schema.columns[i];
        for (uint32_t k = 0; c->count && rows->columns[i].ends && k < rows->n; k++) {
            uint32_t n = tsl_recrows_value(rows, i, c, k).n;
            if (n != c->count)
                return miscounted(c, n, err);
        }
    }
    return 0;
}

int tsl_recwriter_put_rows(struct tsl_recwriter *w, const struct tsl_recrows *rows,
                           struct tsl_err *err)
{
    int rc = check_rows(w, rows, err);
    if (rc < 0 || rows->n == 0)
        return rc;
    return w->f->put_rows ? w->f->put_rows(w->w, rows, err)
                          : tsl_recrows_each(rows, &w->schema, w->w, w->f->put, err);
}

uint64_t tsl_recwriter_bytes(const struct tsl_recwriter *w)
{
    return w->f->only_file ? tsl_recout_bytes(w->f->only_file(w->w)) : w->f->bytes(w->w);
}

int tsl_recwriter_end(struct tsl_recwriter *w, struct tsl_err *err)
{
    int rc = w->f->end ? w->f->end(w->w, err) : 0;
    return rc < 0 || !w->f->only_file ? rc : tsl_recout_done(w->f->only_file(w->w), err);
}

int tsl_recwriter_commit(struct tsl_recwriter *w, const struct tsl_recfile **files,
                         size_t *nfiles, struct tsl_err *err)
{
    if (!w->f->only_file)
        return w->f->commit(w->w, files, nfiles, err);
    struct tsl_recout *out = w->f->only_file(w->w);
    *files = &out->file;
    *nfiles = 1;
    return tsl_recout_commit(out, err);
}

int tsl_recwriter_adopt(struct tsl_recwriter *w, const char *stem, uint64_t records,
                        struct tsl_err *err)
{
    return w->f->adopt ? w->f->adopt(w->w, stem, records, err) : 0;
}

int tsl_recwriter_index(struct tsl_recwriter *w, const char **name, char **text,
                        size_t *len, struct tsl_err *err)
{
    *text = NULL;
    *len = 0;
    return w->f->index ? w->f->index(w->w, name, text, len, err) : 0;
}
