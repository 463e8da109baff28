/* fuzz_tokmap - a file of arbitrary bytes is mapped as a token stream or left to reading; what is
 * mapped can be read as a stream to its end, and has the same documents in any order.  The first
 * byte says whether checksums are put right first, and whether pages are given back. */
#include "record/tokmap.h"
#include "support/fuzzfile.h"
#include "support/recmend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct tsl_tokmap_doc *d, const struct tsl_tokstream_doc *want)
{
    must(d->nsents == want->nsents && d->ntokens == want->ntokens);
    must(!d->nsents || memcmp(d->sents, want->sents, 4 * (size_t)d->nsents) == 0);
    for (size_t i = 0; i < d->ntokens; i++) {
        size_t bit = d->bit + i;
        uint32_t id = d->id_bytes == 2 ? ((const uint16_t *)d->ids)[i]
                                       : ((const uint32_t *)d->ids)[i];
        unsigned start = d->flags ? d->flags[i] : d->bits[bit / 8] >> bit % 8 & 1;
        must(id == want->ids[i] && start == want->starts[i]);
    }
}

/* The stream's documents are the map's, from its first to its last. */
static void compare(const struct tsl_tokmap *m, const char *path)
{
    struct tsl_tokmap_counts n = tsl_tokmap_counts(m);
    struct tsl_tokmap_cursor there = { .block = 0 };
    struct tsl_tokstream_reader *r;
    struct tsl_tokstream_doc want;
    struct tsl_tokmap_doc d;
    struct tsl_err err = { 0 };
    uint64_t i = 0, empty = 0, tokens = 0;
    int rc;
    must(tsl_tokstream_reader_open(&r, path, &err) == 0);
    while ((rc = tsl_tokstream_reader_next(r, UINT32_MAX, &want, &err)) == 1) {
        must(want.first && want.last);
        tokens += want.ntokens;
        empty += want.ntokens == 0;
        if (!want.ntokens)
            continue;
        must(i < n.ndocs && tsl_tokmap_doc(m, &there, i++, true, &d, &err) == 0);
        same(&d, &want);
    }
    must(rc == 0 && i == n.ndocs && empty == n.empty && tokens == n.ntokens);
    tsl_tokstream_reader_destroy(r);
    tsl_tokmap_cursor_fini(&there);
}

/* Each document backwards, without sentences: its tokens are as many as before. */
static void go_back(const struct tsl_tokmap *m)
{
    struct tsl_tokmap_counts n = tsl_tokmap_counts(m);
    struct tsl_tokmap_cursor back = { .block = 0 };
    struct tsl_tokmap_doc d;
    struct tsl_err err = { 0 };
    uint64_t tokens = 0;
    for (uint64_t i = n.ndocs; i-- > 0;) {
        must(tsl_tokmap_doc(m, &back, i, false, &d, &err) == 0);
        tsl_tokmap_soon(m, &back, i, 0, d.ntokens);
        tokens += d.ntokens;
    }
    must(tokens == n.ntokens);
    tsl_tokmap_cursor_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_tokmap *m;
    struct tsl_err err = { 0 };
    if (size < 1 || size > 1 << 20)
        return 0;
    uint8_t *p = malloc(size);
    memcpy(p, data + 1, size - 1);
    if (data[0] & 1)
        recmend(p, size - 1);
    const char *path = fuzz_file("docs", p, size - 1);
    free(p);
    int rc = tsl_tokmap_open(&m, path, data[0] & 2 ? 1 : 1 << 30, &err);
    must_tell(rc, &err);
    if (rc != 1)
        return 0;
    compare(m, path);
    go_back(m);
    must(tsl_tokmap_unchanged(m, &err) == 0);
    tsl_tokmap_destroy(m);
    return 0;
}
