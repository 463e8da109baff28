#include "record/rec_raw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/quote.h"
#include "base/slice.h"
#include "record/recids.h"
#include "record/recout.h"

enum kind { LLMC, U16, U32, DATATROVE };

enum {
    LLMC_HEAD = 1024,
    LLMC_MAGIC16 = 20240520,
    LLMC_MAGIC32 = 20240801,
    LLMC_VERSION16 = 1,
    LLMC_VERSION32 = 7,
    PIECE = 65536 /* tokens */
};

static bool is_llmc(const char *path, const uint8_t *p, size_t n)
{
    (void)path;
    return p && n >= 12 &&
           ((tsl_load32(p) == LLMC_MAGIC16 && tsl_load32(p + 4) == LLMC_VERSION16) ||
            (tsl_load32(p) == LLMC_MAGIC32 && tsl_load32(p + 4) == LLMC_VERSION32));
}

static bool is_datatrove(const char *path, const uint8_t *p, size_t n)
{
    (void)n;
    return p && tsl_ends_with(path, ".ds");
}

static bool never(const char *path, const uint8_t *p, size_t n)
{
    (void)path;
    (void)p;
    (void)n;
    return false;
}

/* ---- reading ---- */

struct reader {
    struct tsl_source src;
    struct tsl_file index; /* of datatrove */
    enum kind kind;
    unsigned size;    /* bytes of an id */
    uint64_t told, n; /* ids: as the head says, UINT64_MAX where none does; so far */
    uint64_t memory, next, nrecords;
    uint8_t *ids;
    size_t cap;
    bool ended, picked;
    struct tsl_value value;
};

static void reader_destroy(void *p)
{
    struct reader *r = p;
    if (!r)
        return;
    tsl_source_close(&r->src, NULL);
    tsl_file_close(&r->index, NULL);
    tsl_mem_free(r->ids);
    tsl_mem_free(r);
}

static int read_llmc_head(struct reader *r, struct tsl_err *err)
{
    uint8_t h[LLMC_HEAD];
    int64_t got = tsl_source_read(&r->src, h, sizeof h, err);
    if (got < 0)
        return (int)got;
    if (got < LLMC_HEAD || !is_llmc("", h, LLMC_HEAD))
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: no head of llm.c (20240520 or 20240801)",
                           r->src.file.name);
    r->size = tsl_load32(h) == LLMC_MAGIC16 ? 2 : 4;
    r->told = tsl_load32(h + 8);
    if (r->told > INT32_MAX)
        return tsl_err_set(err, TSL_EFORMAT, "%s: its head tells of %" PRIu64 " tokens",
                           r->src.file.name, r->told);
    return 0;
}

/* Where no token tells how wide ids are, the .ds.metadata does, if there is one: a first line
 * that ends with "|2" or "|4". */
static int size_told(struct reader *r, const char *path, struct tsl_err *err)
{
    struct tsl_file f = TSL_FILE_INIT;
    char text[256], *name = tsl_mem_alloc(strlen(path) + 10, 1, "a name", err);
    int64_t n = 0;
    if (!name)
        return TSL_ENOMEM;
    sprintf(name, "%s.metadata", path);
    if (tsl_file_exists(name)) {
        n = tsl_file_open(&f, name, err);
        if (n == 0)
            n = tsl_file_read(&f, text, sizeof text, err);
        tsl_file_close(&f, NULL);
    }
    tsl_mem_free(name);
    const char *end = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;
    r->size = end && end - text > 2 && memcmp(end - 2, "|4", 2) == 0 ? 4 : 2;
    return n < 0 ? (int)n : 0;
}

/* The .ds.index: how many documents; the ids' size is that which fits the file. */
static int open_index(struct reader *r, const char *path, struct tsl_err *err)
{
    uint8_t end[8] = { 0 };
    size_t cap = strlen(path) + 8;
    char *name = tsl_mem_alloc(cap, 1, "a name", err);
    if (!name)
        return TSL_ENOMEM;
    snprintf(name, cap, "%s.index", path);
    int rc = tsl_file_open(&r->index, name, err);
    tsl_mem_free(name);
    if (rc < 0)
        return rc;
    r->nrecords = r->index.size / 8;
    if (!r->index.regular || !r->src.file.regular || r->src.decoder || r->index.size % 8)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: no index of u64 ends beside a plain file", r->index.name);
    if (r->nrecords)
        rc = tsl_file_pread(&r->index, end, 8, r->index.size - 8, err);
    r->told = tsl_load64(end);
    r->size = r->told && r->src.file.size / r->told == 4 ? 4 : 2;
    if (rc == 0 && !r->told)
        rc = size_told(r, path, err);
    if (rc == 0 && (r->told > r->src.file.size || r->told * r->size != r->src.file.size))
        rc = tsl_err_set(err, TSL_EFORMAT,
                         "%s: %" PRIu64 " bytes; %s tells of %" PRIu64 " tokens",
                         r->src.file.name, r->src.file.size, r->index.name, r->told);
    return rc;
}

static int open_kind(enum kind kind, void **out, struct tsl_rechead *head,
                     const char *path, struct tsl_source *src,
                     const struct tsl_recreader_opts *o, struct tsl_err *err)
{
    struct reader *r = tsl_mem_alloc(1, sizeof *r, "a reader", err);
    if (!r)
        return TSL_ENOMEM;
    r->src = *src;
    *src = TSL_SOURCE_CLOSED;
    r->index = (struct tsl_file)TSL_FILE_INIT;
    r->kind = kind;
    r->memory = o->memory;
    r->told = UINT64_MAX;
    r->size = kind == U32 ? 4 : 2;
    int rc = kind == LLMC        ? read_llmc_head(r, err)
             : kind == DATATROVE ? open_index(r, path, err)
                                 : 0;
    if (rc == 0)
        rc = tsl_schema_add(&head->schema, "ids", r->size == 2 ? TSL_U16 : TSL_U32, true,
                            0, NULL, err);
    if (rc < 0) {
        reader_destroy(r);
        return rc;
    }
    *out = r;
    return 0;
}

#define READER_OPEN(name, kind)                                                          \
    static int name(void **out, struct tsl_rechead *head, const char *path,              \
                    struct tsl_source *src, const struct tsl_recreader_opts *o,          \
                    struct tsl_err *err)                                                 \
    {                                                                                    \
        return open_kind(kind, out, head, path, src, o, err);                            \
    }
READER_OPEN(open_llmc, LLMC)
READER_OPEN(open_u16, U16)
READER_OPEN(open_u32, U32)
READER_OPEN(open_datatrove, DATATROVE)

static int give(struct reader *r, uint64_t n, struct tsl_record *rec)
{
    r->value = (struct tsl_value){ r->ids, NULL, (uint32_t)n };
    rec->number = r->next++;
    rec->values = &r->value;
    return 1;
}

/* Where a stream's tokens begin in its file, and how many there are; TSL_EUSAGE where that is
 * not told by the file's size. */
static int stream_size(const struct reader *r, uint64_t *from, uint64_t *n,
                       struct tsl_err *err)
{
    const struct tsl_file *f = &r->src.file;
    *from = r->kind == LLMC ? LLMC_HEAD : 0;
    if (!f->regular || r->src.decoder)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: tokens of a pipe or a compressed file cannot be counted "
                           "or picked",
                           f->name);
    if (f->size < *from || (f->size - *from) % r->size)
        return tsl_err_set(err, TSL_EFORMAT, "%s: it ends within a token", f->name);
    *n = (f->size - *from) / r->size;
    if (r->told != UINT64_MAX && *n != r->told)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: %" PRIu64 " tokens; its head tells of %" PRIu64, f->name,
                           *n, r->told);
    return 0;
}

static int count_pieces(void *p, uint64_t *n, struct tsl_err *err)
{
    uint64_t from, tokens;
    int rc = stream_size(p, &from, &tokens, err);
    if (rc == 0)
        *n = (tokens + PIECE - 1) / PIECE;
    return rc;
}

static int at_piece(void *p, uint64_t i, struct tsl_record *rec, struct tsl_err *err)
{
    struct reader *r = p;
    uint64_t from, tokens;
    int rc = stream_size(r, &from, &tokens, err);
    if (rc < 0)
        return rc;
    if (i >= (tokens + PIECE - 1) / PIECE)
        return tsl_err_set(err, TSL_EUSAGE, "record %" PRIu64 " of %" PRIu64, i,
                           (tokens + PIECE - 1) / PIECE);
    uint64_t n = tokens - i * PIECE < PIECE ? tokens - i * PIECE : PIECE;
    rc = tsl_mem_grow(&r->ids, &r->cap, (size_t)PIECE * r->size, 1, "tokens", err);
    if (rc == 0)
        rc = tsl_file_pread(&r->src.file, r->ids, (size_t)n * r->size,
                            from + i * PIECE * r->size, err);
    r->picked = true;
    r->next = i;
    return rc < 0 ? rc : give(r, n, rec);
}

static int next_piece(void *p, struct tsl_record *rec, struct tsl_err *err)
{
    struct reader *r = p;
    uint64_t npieces = 0;
    if (r->picked) { /* the stream no longer stands where the next one begins */
        int rc = count_pieces(p, &npieces, err);
        return rc < 0 || r->next >= npieces ? rc : at_piece(p, r->next, rec, err);
    }
    if (r->ended)
        return 0;
    int rc = tsl_mem_grow(&r->ids, &r->cap, (size_t)PIECE * r->size, 1, "tokens", err);
    int64_t got =
        rc < 0 ? rc : tsl_source_read(&r->src, r->ids, (size_t)PIECE * r->size, err);
    if (got < 0)
        return (int)got;
    uint64_t n = (uint64_t)got / r->size;
    r->n += n;
    if (got % r->size)
        return tsl_err_set(err, TSL_EFORMAT, "%s: it ends within token %" PRIu64,
                           r->src.file.name, r->n);
    if (n)
        return give(r, n, rec);
    r->ended = true;
    if (r->told != UINT64_MAX && r->n != r->told)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: %" PRIu64 " tokens; its head tells of %" PRIu64,
                           r->src.file.name, r->n, r->told);
    return r->src.file.regular && !r->src.decoder ? tsl_file_unchanged(&r->src.file, err)
                                                  : tsl_source_close(&r->src, err);
}

static int at_document(void *p, uint64_t i, struct tsl_record *rec, struct tsl_err *err)
{
    struct reader *r = p;
    uint8_t ends[16] = { 0 };
    if (i >= r->nrecords)
        return tsl_err_set(err, TSL_EUSAGE, "record %" PRIu64 " of %" PRIu64, i,
                           r->nrecords);
    int rc = i ? tsl_file_pread(&r->index, ends, 16, 8 * (i - 1), err)
               : tsl_file_pread(&r->index, ends + 8, 8, 0, err);
    if (rc < 0)
        return rc;
    uint64_t from = tsl_load64(ends), end = tsl_load64(ends + 8);
    if (from > end || end > r->told || (end - from) * r->size > r->memory)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: document %" PRIu64 " goes from %" PRIu64 " to %" PRIu64
                           " of %" PRIu64 " tokens",
                           r->index.name, i, from, end, r->told);
    size_t n = (size_t)(end - from) * r->size;
    rc = tsl_mem_grow(&r->ids, &r->cap, n + 8, 1, "a document", err);
    if (rc == 0)
        rc = tsl_file_pread(&r->src.file, r->ids, n, from * r->size, err);
    r->next = i;
    return rc < 0 ? rc : give(r, end - from, rec);
}

static int next_document(void *p, struct tsl_record *rec, struct tsl_err *err)
{
    struct reader *r = p;
    if (r->next < r->nrecords)
        return at_document(p, r->next, rec, err);
    int rc = tsl_file_unchanged(&r->src.file, err);
    return rc < 0 ? rc : tsl_file_unchanged(&r->index, err);
}

static int count_documents(void *p, uint64_t *n, struct tsl_err *err)
{
    (void)err;
    *n = ((struct reader *)p)->nrecords;
    return 0;
}

/* ---- writing ---- */

struct writer {
    struct tsl_rechelp help;
    enum kind kind;
    struct tsl_schema schema;
    enum tsl_dtype from;
    int ids;
    unsigned size;
    uint64_t tokens, memory;
    char name[64]; /* of the tokenizer: for datatrove's metadata */
    struct tsl_recout out, index, text;
    struct tsl_recfile files[3];
};

static void writer_destroy(void *p)
{
    struct writer *w = p;
    if (!w)
        return;
    tsl_recout_close(&w->out);
    tsl_recout_close(&w->index);
    tsl_recout_close(&w->text);
    tsl_mem_free(w);
}

static int create_kind(enum kind kind, void **out, const struct tsl_rechead *head,
                       const struct tsl_recwriter_opts *o, struct tsl_err *err)
{
    int ids = tsl_recids_column(&head->schema, err);
    if (ids < 0)
        return ids;
    if (o->zstd_level || o->gzip)
        return tsl_err_set(err, TSL_EUSAGE, "raw token files are mapped, not compressed");
    struct writer *w = tsl_mem_alloc(1, sizeof *w, "a writer", err);
    if (!w)
        return TSL_ENOMEM;
    w->help = o->help;
    uint64_t vocab = tsl_recids_vocab(head);
    w->kind = kind;
    w->schema = head->schema;
    w->ids = ids;
    w->from = head->schema.columns[ids].type;
    w->memory = o->memory;
    bool narrow = vocab ? vocab <= 1 << 16 : w->from == TSL_U16 || w->from == TSL_U8;
    w->size = kind == U16 || (kind != U32 && narrow) ? 2 : 4;
    snprintf(w->name, sizeof w->name, "Unknown Tokenizer");
    *out = w;
    return 0;
}

#define WRITER_CREATE(name, kind)                                                        \
    static int name(void **out, const struct tsl_rechead *head,                          \
                    const struct tsl_recwriter_opts *o, struct tsl_err *err)             \
    {                                                                                    \
        return create_kind(kind, out, head, o, err);                                     \
    }
WRITER_CREATE(create_llmc, LLMC)
WRITER_CREATE(create_u16, U16)
WRITER_CREATE(create_u32, U32)
WRITER_CREATE(create_datatrove, DATATROVE)

static int begin(void *p, const char *stem, struct tsl_err *err)
{
    struct writer *w = p;
    uint8_t blank[LLMC_HEAD] = { 0 };
    tsl_recout_close(&w->out);
    tsl_recout_close(&w->index);
    tsl_recout_close(&w->text);
    w->tokens = 0;
    if (!stem && w->kind != U16 && w->kind != U32)
        return tsl_err_set(
            err, TSL_EUSAGE,
            "this format is completed at the end: it needs a name, not a pipe");
    int rc = tsl_recout_open(&w->out, stem, w->kind == DATATROVE ? ".ds" : ".bin",
                             TSL_CODEC_NONE, 0, &w->help, err);
    if (rc == 0 && w->kind == LLMC)
        rc = tsl_recout_write(&w->out, blank, sizeof blank, err);
    if (rc == 0 && w->kind == DATATROVE)
        rc = tsl_recout_open(&w->index, stem, ".ds.index", TSL_CODEC_NONE, 0, &w->help,
                             err);
    if (rc == 0 && w->kind == DATATROVE)
        rc = tsl_recout_open(&w->text, stem, ".ds.metadata", TSL_CODEC_NONE, 0, &w->help,
                             err);
    return rc;
}

static int put(void *p, const struct tsl_record *rec, struct tsl_err *err)
{
    struct writer *w = p;
    const struct tsl_value *v = &rec->values[w->ids];
    int rc = tsl_recids_put(&w->out, w->from, v, w->size, rec->number, err);
    if (rc < 0)
        return rc;
    w->tokens += v->n;
    if (w->kind == LLMC && w->tokens > INT32_MAX)
        return tsl_err_set(
            err, TSL_EUSAGE,
            "llm.c's files hold fewer than 2^31 tokens: give --shard-bytes");
    if (w->kind != DATATROVE)
        return 0;
    uint8_t end[8];
    tsl_store64(end, w->tokens);
    return tsl_recout_write(&w->index, end, sizeof end, err);
}

static int put_rows(void *p, const struct tsl_recrows *rows, struct tsl_err *err)
{
    struct writer *w = p;
    const struct tsl_recrows_column *l = &rows->columns[w->ids];
    uint32_t n = rows->n, begin = l->ends ? l->begin : 0;
    struct tsl_value all = { l->values + begin * tsl_dtype_bytes(w->from), NULL, 0 };
    all.n = l->ends ? l->ends[n - 1] - begin : 0;
    if (w->kind == LLMC || w->kind == DATATROVE || !l->ends ||
        !tsl_recids_fit(w->from, &all, w->size))
        return tsl_recrows_each(rows, &w->schema, p, put, err);
    w->tokens += all.n;
    return tsl_recids_put(&w->out, w->from, &all, w->size, rows->first, err);
}

static uint64_t bytes(const void *p)
{
    const struct writer *w = p;
    return tsl_recout_bytes(&w->out) +
           (w->kind == DATATROVE ? tsl_recout_bytes(&w->index) : 0);
}

/* "12.3 MT", as Python's humanize.metric has it: three digits. */
static void put_metric(char *s, size_t cap, uint64_t n)
{
    static const char *const units[] = { "", "k", "M", "G", "T", "P", "E" };
    double v = (double)n;
    size_t u = 0;
    for (; v >= 1000; v /= 1000)
        u++;
    snprintf(s, cap, "%.*f %sT", v >= 100 ? 0 : v >= 10 ? 1 : 2, v, units[u]);
}

static int end_datatrove(struct writer *w, struct tsl_err *err)
{
    char metric[32], text[160];
    put_metric(metric, sizeof metric, w->tokens);
    int n = snprintf(text, sizeof text, "%s|%u\n%" PRIu64 "\n%s", w->name, w->size,
                     w->tokens, metric);
    int rc = tsl_recout_write(&w->text, text, (size_t)n, err);
    if (rc == 0)
        rc = tsl_recout_done(&w->index, err);
    return rc < 0 ? rc : tsl_recout_done(&w->text, err);
}

static int end(void *p, struct tsl_err *err)
{
    struct writer *w = p;
    int rc = 0;
    if (w->kind == LLMC) {
        uint8_t h[12];
        tsl_store32(h, w->size == 2 ? LLMC_MAGIC16 : LLMC_MAGIC32);
        tsl_store32(h + 4, w->size == 2 ? LLMC_VERSION16 : LLMC_VERSION32);
        tsl_store32(h + 8, (uint32_t)w->tokens);
        rc = tsl_recout_patch(&w->out, 0, h, sizeof h, err);
    }
    if (rc == 0)
        rc = tsl_recout_done(&w->out, err);
    return rc == 0 && w->kind == DATATROVE ? end_datatrove(w, err) : rc;
}

/* Indexes last: a .ds without one is no file of datatrove's. */
static int commit(void *p, const struct tsl_recfile **files, size_t *nfiles,
                  struct tsl_err *err)
{
    struct writer *w = p;
    struct tsl_recout *const all[] = { &w->out, &w->text, &w->index };
    *files = w->files;
    *nfiles = w->kind == DATATROVE ? 3 : 1;
    return tsl_recout_commit_all(all, *nfiles, w->files, err);
}

#define WRITING(create_)                                                                 \
    .writer_create = create_, .writer_destroy = writer_destroy, .begin = begin,          \
    .put = put, .put_rows = put_rows, .bytes = bytes, .end = end, .commit = commit

const struct tsl_recformat tsl_rec_llmc = {
    .name = "llmc",
    .suffix = ".bin",
    .is = is_llmc,
    .reader_open = open_llmc,
    .reader_destroy = reader_destroy,
    .next = next_piece,
    .count = count_pieces,
    .at = at_piece,
    WRITING(create_llmc),
};

const struct tsl_recformat tsl_rec_u16 = {
    .name = "u16",
    .suffix = ".bin",
    .is = never,
    .reader_open = open_u16,
    .reader_destroy = reader_destroy,
    .next = next_piece,
    .count = count_pieces,
    .at = at_piece,
    WRITING(create_u16),
};

const struct tsl_recformat tsl_rec_u32 = {
    .name = "u32",
    .suffix = ".bin",
    .is = never,
    .reader_open = open_u32,
    .reader_destroy = reader_destroy,
    .next = next_piece,
    .count = count_pieces,
    .at = at_piece,
    WRITING(create_u32),
};

const struct tsl_recformat tsl_rec_datatrove = {
    .name = "datatrove",
    .suffix = ".ds",
    .is = is_datatrove,
    .reader_open = open_datatrove,
    .reader_destroy = reader_destroy,
    .next = next_document,
    .count = count_documents,
    .at = at_document,
    WRITING(create_datatrove),
};
