#include "record/rec_megatron.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/quote.h"
#include "base/slice.h"
#include "record/recids.h"
#include "record/recout.h"

enum { HEAD = 34, FAIRSEQ_HEAD = 26, U16_VOCAB = 65500 };

static const char magic[9] = "MMIDIDX\0";

/* Megatron's codes of types; of 0 and 9 or more there are none. */
static const struct {
    enum tsl_dtype type;
    unsigned bytes;
} types[] = { { 0, 0 },       { TSL_U8, 1 },  { TSL_I8, 1 },
              { TSL_I16, 2 }, { TSL_I32, 4 }, { TSL_I64, 8 },
              { TSL_F64, 8 }, { TSL_F32, 4 }, { TSL_U16, 2 } };
enum { NTYPES = sizeof types / sizeof types[0] };

/* path with its last four bytes replaced, on the heap. */
static char *with_end(const char *path, const char *end, struct tsl_err *err)
{
    size_t n = strlen(path);
    char *s = tsl_mem_strdup(path, err);
    if (s)
        memcpy(s + n - 4, end, 4);
    return s;
}

static bool is(const char *path, const uint8_t *bytes, size_t n)
{
    if (!bytes)
        return false;
    if (n >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0)
        return true;
    if (!tsl_ends_with(path, ".bin"))
        return false;
    char index[4096]; /* a path that is longer cannot be opened either */
    size_t stem = strlen(path) - 4;
    if (stem + 5 > sizeof index)
        return false;
    memcpy(index, path, stem);
    strcpy(index + stem, ".idx");
    return tsl_file_exists(index);
}

/* ---- reading ---- */

struct reader {
    struct tsl_file idx, bin;
    unsigned type;
    bool sentences;        /* documents are not one sequence each */
    uint64_t nseqs, ndocs; /* ndocs: documents, one less than entries */
    uint8_t *index;        /* what follows the head */
    const uint8_t *lengths, *bytes, *docs;
    uint64_t next, memory;
    uint8_t *ids;
    size_t ids_cap;
    uint32_t *sents;
    size_t sents_cap;
    uint64_t index_bytes;
    struct tsl_value values[2];
};

static void reader_destroy(void *p)
{
    struct reader *r = p;
    if (!r)
        return;
    tsl_file_close(&r->idx, NULL);
    tsl_file_close(&r->bin, NULL);
    tsl_mem_free(r->index);
    tsl_mem_free(r->ids);
    tsl_mem_free(r->sents);
    tsl_mem_free(r);
}

static int bad_index(const struct reader *r, const char *what, uint64_t a, uint64_t b,
                     struct tsl_err *err)
{
    char text[160];
    snprintf(text, sizeof text, what, a, b);
    return tsl_err_set(err, TSL_EFORMAT, "%s: %s", r->idx.name, text);
}

static int read_head(struct reader *r, struct tsl_err *err)
{
    uint8_t h[HEAD] = { 0 };
    uint64_t size = r->idx.size, entries;
    int rc = tsl_file_pread(&r->idx, h, size < HEAD ? (size_t)size : HEAD, 0, err);
    if (rc < 0)
        return rc;
    if (size < FAIRSEQ_HEAD || memcmp(h, magic, sizeof magic) != 0)
        return bad_index(r, "no index of Megatron: it does not begin with MMIDIDX", 0, 0,
                         err);
    if (tsl_load64(h + 9) != 1)
        return bad_index(r, "version %" PRIu64 ", not 1", tsl_load64(h + 9), 0, err);
    r->type = h[17];
    r->nseqs = tsl_load64(h + 18);
    /* Saturating: numbers that lie cannot wrap around. */
    uint64_t most = size / 12;
    if (r->nseqs <= most && size == FAIRSEQ_HEAD + 12 * r->nseqs)
        return bad_index(
            r,
            "an index of fairseq (%" PRIu64
            " sequences, and no documents), which only looks like Megatron's",
            r->nseqs, 0, err);
    if (r->type == 0 || r->type >= NTYPES)
        return bad_index(r, "unknown type %" PRIu64, r->type, 0, err);
    if (size < HEAD)
        return bad_index(r, "%" PRIu64 " bytes are too few for an index", size, 0, err);
    entries = tsl_load64(h + 26);
    if (r->nseqs > most || entries > size / 8 ||
        (size != HEAD + 12 * r->nseqs + 8 * entries &&
         size != HEAD + 13 * r->nseqs + 8 * entries))
        return bad_index(r,
                         "%" PRIu64 " sequences and %" PRIu64
                         " document entries do not fit its size",
                         r->nseqs, entries, err);
    if (entries == 0)
        return bad_index(r, "no document entries", 0, 0, err);
    r->ndocs = entries - 1;
    r->index_bytes = 12 * r->nseqs + 8 * entries;
    if (r->index_bytes > r->memory)
        return bad_index(r,
                         "%" PRIu64 " bytes of index are more than may be held (%" PRIu64
                         "); give more memory",
                         r->index_bytes, r->memory, err);
    return 0;
}

/* Every sequence lies in the .bin, every document is a run of sequences. */
static int check_index(struct reader *r, struct tsl_err *err)
{
    unsigned size = types[r->type].bytes;
    uint64_t need = 0;
    for (uint64_t i = 0; i < r->nseqs; i++) {
        int32_t n = (int32_t)tsl_load32(r->lengths + 4 * i);
        int64_t at = (int64_t)tsl_load64(r->bytes + 8 * i);
        if (n < 0 || at < 0 || at > INT64_MAX / 2)
            return bad_index(r, "sequence %" PRIu64 " has a length or a place below 0", i,
                             0, err);
        uint64_t end = (uint64_t)at + (uint64_t)n * size;
        if (end > r->bin.size)
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: %" PRIu64 " bytes; %s says that sequence %" PRIu64
                               " ends at byte %" PRIu64,
                               r->bin.name, r->bin.size, r->idx.name, i, end);
        need = end > need ? end : need;
    }
    if (need != r->bin.size)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: %" PRIu64 " bytes behind the last sequence of %s",
                           r->bin.name, r->bin.size - need, r->idx.name);
    uint64_t before = 0;
    for (uint64_t d = 0; d <= r->ndocs; d++) {
        uint64_t first = tsl_load64(r->docs + 8 * d);
        if (first > r->nseqs || first < before || (d == 0 && first) ||
            (d == r->ndocs && first != r->nseqs))
            return bad_index(r, "document entry %" PRIu64 " is %" PRIu64, d, first, err);
        r->sentences |= d && first - before != 1;
        before = first;
    }
    return 0;
}

static int read_index(struct reader *r, struct tsl_err *err)
{
    int rc = read_head(r, err);
    if (rc < 0)
        return rc;
    r->index = tsl_mem_alloc((size_t)r->index_bytes + 1, 1, "an index", err);
    if (!r->index)
        return TSL_ENOMEM;
    rc = tsl_file_pread(&r->idx, r->index, (size_t)r->index_bytes, HEAD, err);
    r->lengths = r->index;
    r->bytes = r->lengths + 4 * r->nseqs;
    r->docs = r->bytes + 8 * r->nseqs;
    return rc < 0 ? rc : check_index(r, err);
}

static int reader_open(void **out, struct tsl_rechead *head, const char *path,
                       struct tsl_source *src, const struct tsl_recreader_opts *o,
                       struct tsl_err *err)
{
    bool bin = tsl_ends_with(path, ".bin");
    struct reader *r;
    (void)src;
    if (!bin && !tsl_ends_with(path, ".idx"))
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: Megatron's files are NAME.bin and NAME.idx",
                           tsl_quote(path).s);
    r = tsl_mem_alloc(1, sizeof *r, "a reader", err);
    if (!r)
        return TSL_ENOMEM;
    r->idx = r->bin = (struct tsl_file)TSL_FILE_INIT;
    r->memory = o->memory;
    char *other = with_end(path, bin ? ".idx" : ".bin", err);
    int rc = other ? 0 : TSL_ENOMEM;
    if (rc == 0)
        rc = tsl_file_open(&r->idx, bin ? other : path, err);
    if (rc == 0)
        rc = tsl_file_open(&r->bin, bin ? path : other, err);
    if (rc == 0 && !(r->idx.regular && r->bin.regular))
        rc = tsl_err_set(err, TSL_EUSAGE, "%s: not a regular file",
                         r->idx.regular ? r->bin.name : r->idx.name);
    if (rc == 0)
        rc = read_index(r, err);
    if (rc == 0)
        rc =
            tsl_schema_add(&head->schema, "ids", types[r->type].type, true, 0, NULL, err);
    if (rc == 0 && r->sentences)
        rc = tsl_schema_add(&head->schema, "sents", TSL_U32, true, 0, NULL, err);
    tsl_mem_free(other);
    if (rc < 0) {
        reader_destroy(r);
        return rc;
    }
    *out = r;
    return 0;
}

static int at(void *p, uint64_t i, struct tsl_record *rec, struct tsl_err *err)
{
    struct reader *r = p;
    unsigned size = types[r->type].bytes;
    if (i >= r->ndocs)
        return tsl_err_set(err, TSL_EUSAGE, "record %" PRIu64 " of %" PRIu64, i,
                           r->ndocs);
    uint64_t s = tsl_load64(r->docs + 8 * i), end = tsl_load64(r->docs + 8 * i + 8),
             n = 0;
    for (uint64_t k = s; k < end; k++)
        n += tsl_load32(r->lengths + 4 * k);
    if (n > UINT32_MAX || n * size > r->memory)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: document %" PRIu64 ": %" PRIu64
                           " tokens are more than may be held",
                           r->bin.name, i, n);
    int rc =
        tsl_mem_grow(&r->ids, &r->ids_cap, (size_t)n * size + 8, 1, "a document", err);
    if (rc == 0)
        rc = tsl_mem_grow(&r->sents, &r->sents_cap, (size_t)(end - s) + 1, 4,
                          "a document", err);
    size_t to = 0;
    for (uint64_t k = s; rc == 0 && k < end;) {
        /* neighbours in the index lie most often side by side in the file, too */
        uint64_t from = tsl_load64(r->bytes + 8 * k), run = 0;
        do {
            r->sents[k - s] = tsl_load32(r->lengths + 4 * k);
            run += (uint64_t)r->sents[k - s] * size;
            k++;
        } while (k < end && tsl_load64(r->bytes + 8 * k) == from + run);
        rc = tsl_file_pread(&r->bin, r->ids + to, (size_t)run, from, err);
        to += run;
    }
    if (rc < 0)
        return rc;
    r->values[0] = (struct tsl_value){ r->ids, NULL, (uint32_t)n };
    r->values[1] = (struct tsl_value){ r->sents, NULL, (uint32_t)(end - s) };
    rec->number = i;
    rec->values = r->values;
    r->next = i + 1;
    return 1;
}

static int next(void *p, struct tsl_record *rec, struct tsl_err *err)
{
    struct reader *r = p;
    if (r->next < r->ndocs)
        return at(p, r->next, rec, err);
    int rc = tsl_file_unchanged(&r->idx, err);
    return rc < 0 ? rc : tsl_file_unchanged(&r->bin, err);
}

static int count(void *p, uint64_t *n, struct tsl_err *err)
{
    (void)err;
    *n = ((struct reader *)p)->ndocs;
    return 0;
}

/* ---- writing ---- */

struct writer {
    struct tsl_rechelp help;
    struct tsl_recout bin, idx;
    struct tsl_recfile files[2];
    enum tsl_dtype from;
    struct tsl_schema schema;
    int ids, sents; /* columns; sents -1: a record is a sequence */
    bool u16;
    uint64_t memory, tokens, number;
    uint32_t *lengths;
    uint64_t *docs; /* sequences before each document, the last one's end behind */
    size_t nseqs, lengths_cap, ndocs, docs_cap;
};

static void writer_destroy(void *p)
{
    struct writer *w = p;
    if (!w)
        return;
    tsl_recout_close(&w->bin);
    tsl_recout_close(&w->idx);
    tsl_mem_free(w->lengths);
    tsl_mem_free(w->docs);
    tsl_mem_free(w);
}

static int writer_create(void **out, const struct tsl_rechead *head,
                         const struct tsl_recwriter_opts *o, struct tsl_err *err)
{
    const struct tsl_schema *s = &head->schema;
    bool sentence = o->layout && strcmp(o->layout, "sentence") == 0;
    int ids = tsl_recids_column(s, err),
        sents = sentence ? tsl_schema_find(s, "sents") : -1;
    if (o->layout && !sentence && strcmp(o->layout, "document") != 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: Megatron's layouts are document and sentence",
                           tsl_quote(o->layout).s);
    if (o->zstd_level || o->gzip)
        return tsl_err_set(err, TSL_EUSAGE, "Megatron's files are not compressed");
    if (ids < 0)
        return TSL_EUSAGE;
    if (sentence && (sents < 0 || s->columns[sents].type != TSL_U32))
        return tsl_err_set(
            err, TSL_EUSAGE,
            "no column sents that says where sentences end: these documents "
            "were not split (ctok encode --split-sentences)");
    enum tsl_dtype from = s->columns[ids].type;
    struct writer *w = tsl_mem_alloc(1, sizeof *w, "a writer", err);
    if (!w)
        return TSL_ENOMEM;
    w->help = o->help;
    uint64_t vocab = tsl_recids_vocab(head);
    w->schema = head->schema;
    w->from = from;
    w->ids = ids;
    w->sents = sents;
    w->u16 = vocab ? vocab < U16_VOCAB : from == TSL_U16 || from == TSL_U8;
    w->memory = o->memory;
    *out = w;
    return 0;
}

static int begin(void *p, const char *stem, struct tsl_err *err)
{
    struct writer *w = p;
    tsl_recout_close(&w->bin);
    tsl_recout_close(&w->idx);
    w->nseqs = w->ndocs = 0;
    w->tokens = 0;
    if (!stem)
        return tsl_err_set(err, TSL_EUSAGE,
                           "Megatron's files are two: they need a name, not a pipe");
    int rc = tsl_recout_open(&w->bin, stem, ".bin", TSL_CODEC_NONE, 0, &w->help, err);
    return rc < 0
               ? rc
               : tsl_recout_open(&w->idx, stem, ".idx", TSL_CODEC_NONE, 0, &w->help, err);
}

/* Has the index of n sequences more, of n documents at most, room? */
static bool has_memory(const struct writer *w, size_t n)
{
    return 12 * ((uint64_t)w->nseqs + n) + 8 * ((uint64_t)w->ndocs + n + 1) <= w->memory;
}

static int grow(struct writer *w, size_t n, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&w->lengths, &w->lengths_cap, w->nseqs + n, 4, "an index", err);
    return rc < 0 ? rc
                  : tsl_mem_grow(&w->docs, &w->docs_cap, w->ndocs + n + 2, 8, "an index",
                                 err);
}

static int put(void *p, const struct tsl_record *rec, struct tsl_err *err)
{
    struct writer *w = p;
    const struct tsl_value *ids = &rec->values[w->ids];
    const struct tsl_value *sents = w->sents < 0 ? NULL : &rec->values[w->sents];
    size_t n = sents ? sents->n : 1;
    if (12 * ((uint64_t)w->nseqs + n) + 8 * ((uint64_t)w->ndocs + 2) > w->memory)
        return tsl_err_set(err, TSL_EUSAGE,
                           "an index of %zu sequences is more than may be held (%" PRIu64
                           " bytes): give more memory, or several shards",
                           w->nseqs + n, w->memory);
    int rc = grow(w, n, err);
    if (rc < 0)
        return rc;
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t len = sents ? tsl_load32((const uint8_t *)sents->data + 4 * i) : ids->n;
        if (len > INT32_MAX)
            return tsl_err_set(err, TSL_EUSAGE,
                               "record %" PRIu64 ": a sequence of 2^31 tokens",
                               rec->number);
        w->lengths[w->nseqs + i] = len;
        total += len;
    }
    if (total != ids->n)
        return tsl_err_set(err, TSL_EFORMAT,
                           "record %" PRIu64 ": its sentences have %" PRIu64
                           " tokens, it has %" PRIu32,
                           rec->number, total, ids->n);
    rc = tsl_recids_put(&w->bin, w->from, ids, w->u16 ? 2 : 4, rec->number, err);
    if (rc < 0)
        return rc;
    w->docs[w->ndocs++] = w->nseqs;
    w->nseqs += n;
    w->docs[w->ndocs] = w->nseqs;
    w->tokens += total;
    return 0;
}

/* Documents that are a sequence each. */
static int put_rows(void *p, const struct tsl_recrows *rows, struct tsl_err *err)
{
    struct writer *w = p;
    const struct tsl_recrows_column *l = &rows->columns[w->ids];
    uint32_t n = rows->n, begin = l->ends ? l->begin : 0;
    struct tsl_value all = { l->values, NULL, 0 };
    if (w->sents >= 0 || !l->ends)
        return tsl_recrows_each(rows, &w->schema, p, put, err);
    all.n = l->ends[n - 1] - begin;
    all.data = l->values + begin * tsl_dtype_bytes(w->from);
    if (!tsl_recids_fit(w->from, &all, w->u16 ? 2 : 4) || !has_memory(w, n))
        return tsl_recrows_each(rows, &w->schema, p, put, err); /* it says which one */
    int rc = grow(w, n, err);
    if (rc == 0)
        rc = tsl_recids_put(&w->bin, w->from, &all, w->u16 ? 2 : 4, rows->first, err);
    if (rc < 0)
        return rc;
    for (uint32_t k = 0; k < n; k++) {
        w->lengths[w->nseqs + k] = l->ends[k] - (k ? l->ends[k - 1] : begin);
        w->docs[w->ndocs + k] = w->nseqs + k;
    }
    w->nseqs += n;
    w->ndocs += n;
    w->docs[w->ndocs] = w->nseqs;
    w->tokens += all.n;
    return 0;
}

static uint64_t bytes(const void *p)
{
    const struct writer *w = p;
    return w->tokens * (w->u16 ? 2 : 4) + HEAD + 12 * (uint64_t)w->nseqs +
           8 * ((uint64_t)w->ndocs + 1);
}

/* The index' arrays: 0 lengths, 1 places in the .bin, 2 documents. */
static int write_part(struct writer *w, int part, struct tsl_err *err)
{
    enum { PIECE = 4096 };
    size_t n = part == 2 ? w->ndocs + 1 : w->nseqs, size = part ? 8 : 4;
    uint64_t at = 0;
    for (size_t i = 0, k; i < n; i += k) {
        uint8_t *to;
        k = n - i < PIECE ? n - i : PIECE;
        int rc = tsl_recout_room(&w->idx, k * size, &to, err);
        if (rc < 0)
            return rc;
        for (size_t j = 0; j < k; j++) {
            if (part == 0) {
                tsl_store32(to + 4 * j, w->lengths[i + j]);
            } else if (part == 1) {
                tsl_store64(to + 8 * j, at);
                at += (uint64_t)w->lengths[i + j] * (w->u16 ? 2 : 4);
            } else {
                tsl_store64(to + 8 * j, w->ndocs ? w->docs[i + j] : 0);
            }
        }
        rc = tsl_recout_took(&w->idx, k * size, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int write_index(struct writer *w, struct tsl_err *err)
{
    uint8_t h[HEAD];
    memcpy(h, magic, sizeof magic);
    tsl_store64(h + 9, 1);
    h[17] = w->u16 ? 8 : 4;
    tsl_store64(h + 18, w->nseqs);
    tsl_store64(h + 26, w->ndocs + 1);
    int rc = tsl_recout_write(&w->idx, h, sizeof h, err);
    for (int part = 0; rc == 0 && part < 3; part++)
        rc = write_part(w, part, err);
    return rc;
}

static int end(void *p, struct tsl_err *err)
{
    struct writer *w = p;
    int rc = write_index(w, err);
    if (rc == 0)
        rc = tsl_recout_done(&w->bin, err);
    return rc < 0 ? rc : tsl_recout_done(&w->idx, err);
}

/* The .idx last: it makes the pair valid. */
static int commit(void *p, const struct tsl_recfile **files, size_t *nfiles,
                  struct tsl_err *err)
{
    struct writer *w = p;
    struct tsl_recout *const all[] = { &w->bin, &w->idx };
    *files = w->files;
    *nfiles = 2;
    return tsl_recout_commit_all(all, 2, w->files, err);
}

const struct tsl_recformat tsl_rec_megatron = {
    .name = "megatron",
    .suffix = ".bin",
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
};
