#include "samples/docring.h"

#include "base/mem.h"

enum { ENTRIES_MIN = 1024, PUNCH_BYTES = 4 << 20 };

struct entry {
    uint8_t *bytes; /* NULL: in the file */
    uint64_t at;
    size_t len;
};

/* Replaced by a larger one when it is full; whoever looks at the older one still may. */
struct table {
    struct table *older;
    const struct tsl_docring *ring;
    size_t mask;
    struct entry entries[];
};

struct tsl_docring {
    struct tsl_docread *read;
    const char *dir;
    unsigned id_bytes;
    struct table *table;
    uint64_t first, count; /* documents first .. count - 1 are here */
    uint64_t memory, held;
    struct tsl_file file;
    uint64_t file_end, file_free, punched;
    uint8_t *packed; /* on its way to the file */
    size_t packed_cap;
};

static int grow(struct tsl_docring *r, struct tsl_err *err)
{
    size_t n = r->table ? 2 * (r->table->mask + 1) : ENTRIES_MIN;
    struct table *t = tsl_mem_alloc(1, sizeof *t + n * sizeof *t->entries,
                                    "documents of a stream", err);
    if (!t)
        return TSL_ENOMEM;
    t->older = r->table;
    t->ring = r;
    t->mask = n - 1;
    for (uint64_t i = r->first; i < r->count; i++)
        t->entries[i & t->mask] = r->table->entries[i & r->table->mask];
    r->table = t;
    return 0;
}

int tsl_docring_create(struct tsl_docring **out, struct tsl_docread *read,
                       uint64_t memory, const char *temp_dir, struct tsl_err *err)
{
    struct tsl_docring *r = tsl_mem_alloc(1, sizeof *r, "documents of a stream", err);
    if (!r)
        return TSL_ENOMEM;
    r->file = (struct tsl_file)TSL_FILE_INIT;
    r->read = read;
    r->dir = temp_dir;
    r->memory = memory;
    r->id_bytes = tsl_docread_head(read)->id_bytes;
    if (grow(r, err) < 0) {
        tsl_docring_destroy(r);
        return TSL_ENOMEM;
    }
    *out = r;
    return 0;
}

void tsl_docring_destroy(struct tsl_docring *r)
{
    if (!r)
        return;
    if (r->table)
        tsl_docring_forget(r, r->count);
    for (struct table *t = r->table, *older; t; t = older) {
        older = t->older;
        tsl_mem_free(t);
    }
    tsl_file_close(&r->file, NULL);
    tsl_mem_free(r->packed);
    tsl_mem_free(r);
}

static int put_in_file(struct tsl_docring *r, struct entry *e, const struct tsl_doc *d,
                       struct tsl_err *err)
{
    int rc = r->file.fd >= 0 ? 0 : tsl_file_temp(&r->file, r->dir, false, err);
    if (rc == 0)
        rc = tsl_mem_grow(&r->packed, &r->packed_cap, e->len, 1, "a document", err);
    if (rc < 0)
        return rc;
    tsl_docview_pack(r->packed, d, r->id_bytes);
    e->at = r->file_end;
    r->file_end += e->len;
    return tsl_file_pwrite(&r->file, r->packed, e->len, e->at, err);
}

int tsl_docring_pull(struct tsl_docring *r, struct tsl_doc *d, struct tsl_err *err)
{
    int rc = tsl_docread_next(r->read, d, err);
    if (rc <= 0)
        return rc;
    if (r->count - r->first > r->table->mask && (rc = grow(r, err)) < 0)
        return rc;
    struct entry *e = &r->table->entries[r->count & r->table->mask];
    *e = (struct entry){ .len = tsl_docview_packed(d->nsents, d->ntokens, r->id_bytes) };
    if (e->len > r->memory || r->held > r->memory - e->len) {
        rc = put_in_file(r, e, d, err);
        if (rc < 0)
            return rc;
    } else {
        e->bytes = tsl_mem_resize(NULL, e->len, 1, "documents of a stream", err);
        if (!e->bytes)
            return TSL_ENOMEM;
        tsl_docview_pack(e->bytes, d, r->id_bytes);
        r->held += e->len;
    }
    r->count++;
    return 1;
}

uint64_t tsl_docring_count(const struct tsl_docring *r)
{
    return r->count;
}

size_t tsl_docring_bytes(const struct tsl_docring *r, uint64_t number)
{
    return r->table->entries[number & r->table->mask].len;
}

void tsl_docring_forget(struct tsl_docring *r, uint64_t before)
{
    for (; r->first < before && r->first < r->count; r->first++) {
        struct entry *e = &r->table->entries[r->first & r->table->mask];
        if (e->bytes)
            r->held -= e->len;
        else
            r->file_free = e->at + e->len;
        tsl_mem_free(e->bytes);
        e->bytes = NULL;
    }
    if (r->file_free - r->punched >= PUNCH_BYTES) {
        tsl_file_punch(&r->file, r->punched, r->file_free - r->punched);
        r->punched = r->file_free;
    }
}

static int find(const void *ctx, uint64_t number, bool sents, struct tsl_docbuf *buf,
                struct tsl_tokmap_doc *d, struct tsl_err *err)
{
    const struct table *t = ctx;
    const struct entry *e = &t->entries[number & t->mask];
    const uint8_t *p = e->bytes;
    (void)sents; /* they lie in front */
    if (!p) {
        int rc = tsl_mem_grow(&buf->bytes, &buf->cap, e->len, 1, "a document", err);
        if (rc == 0)
            rc = tsl_file_pread(&t->ring->file, buf->bytes, e->len, e->at, err);
        if (rc < 0)
            return rc;
        p = buf->bytes;
    }
    tsl_docview_unpack(d, p, t->ring->id_bytes);
    return 0;
}

struct tsl_docsource tsl_docring_now(const struct tsl_docring *r)
{
    return (struct tsl_docsource){ .find = find, .ctx = r->table, .ndocs = r->count };
}
