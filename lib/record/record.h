/* record.h - training records in any format: open by name, next, at(i); create, put, commit.
 *
 * The face of the room.  A format is one file, rec_NAME.c, and one line in a table; who
 * reads or writes records need not know which.
 * Order: records come as they lie, and are written as put.
 * Memory: reading, one block of the format (native: 1 MiB at most, an inflated MDS shard
 *   where it is compressed), bounded by opts.memory; writing, its buffers and what an index
 *   needs (each rec_NAME.h says).
 * Threads: one owner. */
#ifndef TSL_RECORD_H
#define TSL_RECORD_H

#include "io/progress.h"
#include "io/source.h"
#include "record/schema.h"

/* One column of one record.  data: n values as in memory (schema.h), aligned to at least 1
 * byte; for strings lens[n] and their bytes one after the other. */
struct tsl_value {
    const void *data;
    const uint32_t *lens; /* NULL for numbers */
    uint32_t n;
};

/* Bytes of the value's data. */
static inline uint64_t tsl_value_bytes(const struct tsl_column *c,
                                       const struct tsl_value *v)
{
    uint64_t n = 0;
    if (tsl_dtype_bytes(c->type))
        return (uint64_t)v->n * tsl_dtype_bytes(c->type);
    for (uint32_t i = 0; i < v->n; i++)
        n += v->lens[i];
    return n;
}

struct tsl_record {
    uint64_t number;                /* in the whole set; keys what is drawn for it */
    const struct tsl_value *values; /* [ncolumns] */
};

/* Records that lie one after the other in columns of numbers, as a block has them. */
struct tsl_recrows {
    uint64_t first; /* number of the first one */
    uint32_t n;     /* 0: none lie so */
    struct tsl_recrows_column {
        const uint8_t *values;
        const uint32_t *ends; /* [n], where each one's values end; NULL: count of each */
        uint32_t begin;       /* with ends: where the first one's begin */
    } columns[TSL_COLUMNS_MAX];
};

/* Column i of its row. */
static inline struct tsl_value tsl_recrows_value(const struct tsl_recrows *r, size_t i,
                                                 const struct tsl_column *c, uint32_t row)
{
    const struct tsl_recrows_column *l = &r->columns[i];
    uint32_t from = l->ends ? row ? l->ends[row - 1] : l->begin : row * c->count;
    uint32_t to = l->ends ? l->ends[row] : from + c->count;
    return (struct tsl_value){ l->values + from * tsl_dtype_bytes(c->type), NULL,
                               to - from };
}
/* Leaves the first n of them out. */
void tsl_recrows_skip(struct tsl_recrows *r, const struct tsl_schema *s, uint32_t n);
/* Gives them to put one by one. */
int tsl_recrows_each(const struct tsl_recrows *r, const struct tsl_schema *s, void *w,
                     int (*put)(void *w, const struct tsl_record *rec,
                                struct tsl_err *err),
                     struct tsl_err *err);

/* What stands in front of the records: schema and meta, a JSON object that travels with
 * them (objective, seed, vocabulary, special ids, recipe, what they were made from). */
struct tsl_rechead {
    struct tsl_schema schema;
    char *meta;     /* JSON text, NUL at the end, on the heap; NULL: "{}" */
    uint64_t first; /* number of the first record; the others follow it one by one */
};
void tsl_rechead_fini(struct tsl_rechead *h);
/* *to becomes a copy of its own: 0 or TSL_ENOMEM. */
int tsl_rechead_copy(struct tsl_rechead *to, const struct tsl_rechead *from,
                     struct tsl_err *err);

/* ---- reading ---- */

struct tsl_recreader_opts {
    const char *format;            /* NULL: told apart by content */
    uint64_t memory;               /* bytes that it may hold; 0: 64 MiB */
    bool no_check;                 /* checksums are not compared (crec recover) */
    struct tsl_progress *progress; /* may be NULL */
    /* What a manifest says that records consist of, for formats that cannot tell; lent.
     * NULL: nothing is known. */
    const struct tsl_schema *schema;
};

struct tsl_recreader;

/* path: a file, "-" for standard input, or a folder or manifest.json of a set (its shards in
 * order).  TSL_EFORMAT says what was expected and found. */
int tsl_recreader_open(struct tsl_recreader **r, const char *path,
                       const struct tsl_recreader_opts *o, struct tsl_err *err);
void tsl_recreader_destroy(struct tsl_recreader *r);
const struct tsl_rechead *tsl_recreader_head(const struct tsl_recreader *r);
const char *tsl_recreader_format(const struct tsl_recreader *r);

/* 1 and a record, 0 at the end, which was then found to be the true one.  Lent until the
 * next call. */
int tsl_recreader_next(struct tsl_recreader *r, struct tsl_record *rec,
                       struct tsl_err *err);
/* How many there are, without reading them: TSL_EUSAGE where a format or a pipe cannot
 * tell. */
int tsl_recreader_count(struct tsl_recreader *r, uint64_t *n, struct tsl_err *err);
/* 1 and record i of the file or set, from 0; then next goes on behind it.  TSL_EUSAGE as count;
 * i beyond the end is TSL_EUSAGE, too. */
int tsl_recreader_at(struct tsl_recreader *r, uint64_t i, struct tsl_record *rec,
                     struct tsl_err *err);
/* As next, but many at once where they lie together: 1 and all that do, or rows->n 0 where next
 * is to be asked; 0 at the end.  Lent until the next call. */
int tsl_recreader_rows(struct tsl_recreader *r, struct tsl_recrows *rows,
                       struct tsl_err *err);

/* ---- writing one shard ---- */

/* Threads that help a writer; they change no byte of what it writes.  All lent, NULL: none. */
struct tsl_rechelp {
    struct tsl_writebehind *behind; /* puts bytes into files */
    struct tsl_pool *pool;          /* encodes, packs */
};

struct tsl_recwriter_opts {
    const char *format; /* "native", "tfrecord", ... */
    int zstd_level;     /* 0: not compressed */
    bool gzip;          /* tfrecord */
    uint64_t memory;    /* bytes that it may hold; 0: 64 MiB */
    struct tsl_rechelp help;
    /* of one format each, NULL or 0: its usual value; see rec_NAME.h */
    const char *layout;
    uint64_t size_limit;
};

/* A file that a shard consists of, once it is whole. */
struct tsl_recfile {
    char *name; /* the last part of its path; on the heap */
    uint64_t bytes, xxh3;
};

struct tsl_recwriter;

/* Checks that the format can hold the schema: TSL_EUSAGE names the column that it cannot.
 * Opens nothing. */
int tsl_recwriter_create(struct tsl_recwriter **w, const struct tsl_rechead *head,
                         const struct tsl_recwriter_opts *o, struct tsl_err *err);
void tsl_recwriter_destroy(struct tsl_recwriter *w); /* undoes what was not committed */

/* Begins a shard: stem is its path without the format's suffix; NULL: standard output. */
int tsl_recwriter_begin(struct tsl_recwriter *w, const char *stem, struct tsl_err *err);
/* rec->number stands in messages and is the name of a sample of webdataset; what formats keep
 * counts on from head.first.  TSL_EUSAGE where a column of a fixed count has another. */
int tsl_recwriter_put(struct tsl_recwriter *w, const struct tsl_record *rec,
                      struct tsl_err *err);
/* The same of many at once, faster. */
int tsl_recwriter_put_rows(struct tsl_recwriter *w, const struct tsl_recrows *rows,
                           struct tsl_err *err);
/* Bytes that the shard's files would have if it ended now; for rolling over by size. */
uint64_t tsl_recwriter_bytes(const struct tsl_recwriter *w);
/* The shard is complete: its files are written and synced, under no name yet. */
int tsl_recwriter_end(struct tsl_recwriter *w, struct tsl_err *err);
/* Gives the shard's files their names.  files: lent until the next begin. */
int tsl_recwriter_commit(struct tsl_recwriter *w, const struct tsl_recfile **files,
                         size_t *nfiles, struct tsl_err *err);
/* A shard that an earlier run committed, or another writer, goes into the index as if this one
 * had: stem is its path, records how many it holds. */
int tsl_recwriter_adopt(struct tsl_recwriter *w, const char *stem, uint64_t records,
                        struct tsl_err *err);
/* All shards are committed: the format's own file for the whole set (MDS's index.json), as
 * bytes in *text, on the heap, with its *name; *text NULL where there is none. */
int tsl_recwriter_index(struct tsl_recwriter *w, const char **name, char **text,
                        size_t *len, struct tsl_err *err);

/* ---- the formats ---- */

enum { TSL_REC_SNIFF = 512 };

struct tsl_recout;

/* What a format is to the face. */
struct tsl_recformat {
    const char *name;   /* as --format has it */
    const char *suffix; /* of a shard's first file */
    bool
        several_files; /* STEM and suffix is no file's name, but that of all of a shard's */
    /* Can bytes, the first n (at most TSL_REC_SNIFF; fewer only if it is that short) of what
     * is called path, be this format?  Already decompressed; NULL: path is a folder. */
    bool (*is)(const char *path, const uint8_t *bytes, size_t n);
    /* NULL where it can only be written, or only read.  The structs behind void * are the
     * format's own; the functions are those above. */
    /* src: path's bytes from the first on, decompressed, also of standard input: a format
     * that streams moves it out (r->src = *src; *src = TSL_SOURCE_CLOSED) and closes it; one
     * that opens files itself leaves it alone, and the face closes it.  Closed for a
     * folder.  head is the face's, and freed by it. */
    int (*reader_open)(void **r, struct tsl_rechead *head, const char *path,
                       struct tsl_source *src, const struct tsl_recreader_opts *o,
                       struct tsl_err *err);
    void (*reader_destroy)(void *r);
    int (*next)(void *r, struct tsl_record *rec, struct tsl_err *err);
    int (*rows)(void *r, struct tsl_recrows *rows, struct tsl_err *err); /* may be NULL */
    int (*count)(void *r, uint64_t *n, struct tsl_err *err); /* NULL: cannot tell */
    int (*at)(void *r, uint64_t i, struct tsl_record *rec, struct tsl_err *err);

    int (*writer_create)(void **w, const struct tsl_rechead *head,
                         const struct tsl_recwriter_opts *o, struct tsl_err *err);
    void (*writer_destroy)(void *w);
    int (*begin)(void *w, const char *stem, struct tsl_err *err);
    int (*put)(void *w, const struct tsl_record *rec, struct tsl_err *err);
    /* NULL: put, one by one.  Counts were checked. */
    int (*put_rows)(void *w, const struct tsl_recrows *rows, struct tsl_err *err);
    /* Where a shard is one file: that file, and the face measures, ends and commits it; then
     * end may be NULL (nothing is to be written behind the last record), or writes what is. */
    struct tsl_recout *(*only_file)(void *w);
    /* Where it is several, all three of these. */
    uint64_t (*bytes)(const void *w);
    int (*end)(void *w, struct tsl_err *err);
    int (*commit)(void *w, const struct tsl_recfile **files, size_t *nfiles,
                  struct tsl_err *err);
    /* both NULL: there is none */
    int (*index)(void *w, const char **name, char **text, size_t *len,
                 struct tsl_err *err);
    int (*adopt)(void *w, const char *stem, uint64_t records, struct tsl_err *err);
};

/* The formats that there are; record.c lists them in a table. */
extern const struct tsl_recformat tsl_rec_native;

/* Every format, NULL at the end, in the order in which content is told apart. */
const struct tsl_recformat *const *tsl_recformats(void);
/* By name, or NULL. */
const struct tsl_recformat *tsl_recformat_named(const char *name);

#endif
