#include "samples/docstore.h"

#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/quote.h"
#include "samples/growfile.h"

struct tsl_docstore {
    struct tsl_docstore_opts o;
    struct tsl_tokstream_head head;
    struct tsl_docread_counts n;
    struct tsl_docsource source;
    /* files as they lie, each with the number of its first document; nmaps 0: */
    struct tsl_tokmap **maps;
    uint64_t *firsts;
    size_t nmaps;
    /* all documents packed, and the u64 end of each */
    struct tsl_growfile data, index;
    uint8_t *packed;
    size_t packed_cap;
};

/* ---- copies ---- */

static int put(struct tsl_docstore *s, const struct tsl_doc *d, struct tsl_err *err)
{
    size_t n = tsl_docview_packed(d->nsents, d->ntokens, s->head.id_bytes);
    int rc = tsl_mem_grow(&s->packed, &s->packed_cap, n, 1, "a document", err);
    if (rc < 0)
        return rc;
    tsl_docview_pack(s->packed, d, s->head.id_bytes);
    rc = tsl_growfile_put(&s->data, s->packed, n, err);
    if (rc == 0) {
        uint8_t end[8];
        tsl_store64(end, s->data.len);
        rc = tsl_growfile_put(&s->index, end, sizeof end, err);
    }
    return rc;
}

static int find_copy(const void *ctx, uint64_t number, bool sents, struct tsl_docbuf *buf,
                     struct tsl_tokmap_doc *d, struct tsl_err *err)
{
    const struct tsl_docstore *s = ctx;
    uint8_t ends[16];
    (void)sents; /* they lie in front */
    const uint8_t *p;
    int rc = number ? tsl_growfile_get(&s->index, 8 * (number - 1), 16, ends, &p, err)
                    : tsl_growfile_get(&s->index, 0, 8, ends, &p, err);
    if (rc < 0)
        return rc;
    uint64_t from = number ? tsl_load64(p) : 0;
    size_t n = (size_t)(tsl_load64(p + (number ? 8 : 0)) - from);
    if (!tsl_growfile_in_memory(&s->data))
        rc = tsl_mem_grow(&buf->bytes, &buf->cap, n, 1, "a document", err);
    if (rc == 0)
        rc = tsl_growfile_get(&s->data, from, n, buf->bytes, &p, err);
    if (rc == 0)
        tsl_docview_unpack(d, p, s->head.id_bytes);
    return rc;
}

static int copy_all(struct tsl_docstore *s, struct tsl_err *err)
{
    const struct tsl_docstore_opts *o = &s->o;
    struct tsl_docread *r = NULL;
    struct tsl_doc d;
    int rc = tsl_growfile_init(&s->data, (size_t)(o->memory / 4 * 3), o->temp_dir, err);
    if (rc == 0)
        rc = tsl_growfile_init(&s->index, (size_t)(o->memory / 8), o->temp_dir, err);
    if (rc == 0)
        rc = tsl_docread_open(&r, &o->in, err);
    if (rc == 0)
        s->head = *tsl_docread_head(r);
    while (rc == 0 && (rc = tsl_docread_next(r, &d, err)) == 1)
        rc = put(s, &d, err);
    if (rc == 0)
        s->n = tsl_docread_counts(r);
    tsl_docread_destroy(r);
    tsl_mem_free(s->packed);
    s->packed = NULL;
    s->source =
        (struct tsl_docsource){ .find = find_copy, .ctx = s, .ndocs = s->n.ndocs };
    return rc;
}

/* ---- maps ---- */

static size_t find_file(const struct tsl_docstore *s, uint64_t number)
{
    size_t at = 0, n = s->nmaps;
    while (n > 1) {
        size_t half = n / 2;
        at = s->firsts[at + half] <= number ? at + half : at;
        n -= half;
    }
    return at;
}

static int find_mapped(const void *ctx, uint64_t number, bool sents,
                       struct tsl_docbuf *buf, struct tsl_tokmap_doc *d,
                       struct tsl_err *err)
{
    const struct tsl_docstore *s = ctx;
    size_t file = s->nmaps == 1 ? 0 : find_file(s, number);
    if (file != buf->file) {
        tsl_tokmap_cursor_fini(&buf->cursor);
        buf->file = file;
    }
    return tsl_tokmap_doc(s->maps[file], &buf->cursor, number - s->firsts[file], sents, d,
                          err);
}

/* The file that has it, and buf's cursor its own. */
static size_t turn_to_file(const struct tsl_docstore *s, uint64_t number,
                           struct tsl_docbuf *buf)
{
    size_t file = s->nmaps == 1 ? 0 : find_file(s, number);
    if (file != buf->file)
        buf->cursor = (struct tsl_tokmap_cursor){ .block = 0 };
    return buf->file = file;
}

static void soon_mapped(const void *ctx, uint64_t number, struct tsl_docbuf *buf,
                        size_t at, size_t len)
{
    const struct tsl_docstore *s = ctx;
    size_t file = turn_to_file(s, number, buf);
    tsl_tokmap_soon(s->maps[file], &buf->cursor, number - s->firsts[file], at, len);
}

static void soon_near_mapped(const void *ctx, uint64_t number, struct tsl_docbuf *buf,
                             uint32_t share, size_t len)
{
    const struct tsl_docstore *s = ctx;
    size_t file = turn_to_file(s, number, buf);
    tsl_tokmap_soon_near(s->maps[file], &buf->cursor, number - s->firsts[file], share,
                         len);
}

static void close_maps(struct tsl_docstore *s)
{
    for (size_t i = 0; i < s->nmaps; i++)
        tsl_tokmap_destroy(s->maps[i]);
    tsl_mem_free(s->maps);
    tsl_mem_free(s->firsts);
    s->maps = NULL;
    s->firsts = NULL;
    s->nmaps = 0;
    s->n = (struct tsl_docread_counts){ .ndocs = 0 };
}

/* Is it of the same vocabulary as the first one?  Otherwise reading it tells. */
static bool add_map(struct tsl_docstore *s, struct tsl_tokmap *m)
{
    const struct tsl_tokstream_head *h = tsl_tokmap_head(m);
    struct tsl_tokmap_counts n = tsl_tokmap_counts(m);
    s->firsts[s->nmaps] = s->n.ndocs;
    s->maps[s->nmaps++] = m;
    if (s->nmaps == 1)
        s->head = *h;
    s->n.ndocs += n.ndocs;
    s->n.nsents += n.nsents;
    s->n.ntokens += n.ntokens;
    s->n.lone += n.lone;
    s->n.empty += n.empty;
    if (s->o.in.progress)
        atomic_store_explicit(&s->o.in.progress->rows_in, s->n.ndocs,
                              memory_order_relaxed);
    return h->vocab_size == s->head.vocab_size &&
           strcmp(h->vocab_id, s->head.vocab_id) == 0;
}

/* 1: all files are mapped; 0: they must be copied. */
static int map_all(struct tsl_docstore *s, struct tsl_err *err)
{
    const struct tsl_docread_opts *in = &s->o.in;
    int rc = !in->jsonl && in->npaths;
    if (rc == 0)
        return 0;
    s->maps = tsl_mem_alloc(in->npaths, sizeof *s->maps, "files", err);
    s->firsts = tsl_mem_alloc(in->npaths, sizeof *s->firsts, "files", err);
    if (!s->maps || !s->firsts)
        return TSL_ENOMEM;
    for (size_t i = 0; rc == 1 && i < in->npaths; i++) {
        struct tsl_tokmap *m;
        rc = tsl_tokmap_open(&m, in->paths[i], s->o.memory / in->npaths, err);
        if (rc == 1)
            rc = add_map(s, m);
    }
    if (rc == 1)
        s->source = (struct tsl_docsource){ find_mapped, s, s->n.ndocs, soon_mapped,
                                            soon_near_mapped };
    else
        close_maps(s);
    return rc;
}

/* ---- the store ---- */

int tsl_docstore_open(struct tsl_docstore **out, const struct tsl_docstore_opts *o,
                      struct tsl_err *err)
{
    struct tsl_docstore *s = tsl_mem_alloc(1, sizeof *s, "documents", err);
    if (!s)
        return TSL_ENOMEM;
    s->o = *o;
    s->data.file = s->index.file = (struct tsl_file)TSL_FILE_INIT;
    int rc = map_all(s, err);
    if (rc == 0)
        rc = copy_all(s, err);
    if (rc < 0) {
        tsl_docstore_destroy(s);
        return rc;
    }
    *out = s;
    return 0;
}

void tsl_docstore_destroy(struct tsl_docstore *s)
{
    if (!s)
        return;
    close_maps(s);
    tsl_growfile_fini(&s->data);
    tsl_growfile_fini(&s->index);
    tsl_mem_free(s->packed);
    tsl_mem_free(s);
}

const struct tsl_tokstream_head *tsl_docstore_head(const struct tsl_docstore *s)
{
    return &s->head;
}

struct tsl_docread_counts tsl_docstore_counts(const struct tsl_docstore *s)
{
    return s->n;
}

const struct tsl_docsource *tsl_docstore_source(const struct tsl_docstore *s)
{
    return &s->source;
}

enum tsl_docstore_place tsl_docstore_place(const struct tsl_docstore *s)
{
    return s->nmaps                           ? TSL_DOCSTORE_MAPPED
           : tsl_growfile_in_memory(&s->data) ? TSL_DOCSTORE_MEMORY
                                              : TSL_DOCSTORE_TEMP;
}

int tsl_docstore_unchanged(const struct tsl_docstore *s, struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->nmaps; i++)
        rc = tsl_tokmap_unchanged(s->maps[i], err);
    return rc;
}
