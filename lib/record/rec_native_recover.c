#include <string.h>

#include "base/mem.h"
#include "record/rec_native.h"
#include "record/recblock.h"
#include "record/recindex.h"

/* Copies the first n bytes of path. */
static int copy(const char *path, uint64_t n, struct tsl_sink *out, struct tsl_err *err)
{
    enum { STEP = 256 << 10 };
    struct tsl_source src;
    uint8_t *buf = tsl_pages_map(STEP, "a read buffer", err);
    int rc = buf ? tsl_source_open(&src, path, 128 << 20, err) : TSL_ENOMEM;
    if (rc == 0) {
        while (rc == 0 && n) {
            int64_t k = tsl_source_read(&src, buf, n < STEP ? (size_t)n : STEP, err);
            if (k <= 0)
                rc = k < 0 ? (int)k
                           : tsl_err_set(err, TSL_EIO, "%s: it is shorter than before",
                                         src.file.name);
            else
                rc = tsl_sink_write(out, buf, (size_t)k, err);
            n -= k > 0 ? (uint64_t)k : 0;
        }
        tsl_source_close(&src, NULL);
    }
    tsl_pages_unmap(buf, STEP);
    return rc;
}

static int write_trailer(struct tsl_recindex *x, uint64_t at, uint64_t sum,
                         struct tsl_sink *out, struct tsl_err *err)
{
    uint8_t *t;
    size_t n;
    int rc = tsl_recindex_write(x, at, sum, &t, &n, err);
    if (rc < 0)
        return rc;
    rc = tsl_sink_write(out, t, n, err);
    tsl_mem_free(t);
    return rc;
}

int tsl_recnative_recover(const char *path, struct tsl_sink *out,
                          struct tsl_recnative_recovered *n, struct tsl_err *err)
{
    struct tsl_recnative_reader *r;
    struct tsl_recreader_opts o = { .memory = 0 };
    const struct tsl_recblock *b;
    uint64_t end, at, sum;
    struct tsl_file f;
    int rc = tsl_file_open(&f, path, err);
    if (rc < 0)
        return rc;
    *n = (struct tsl_recnative_recovered){ .bytes_in = f.size };
    if (!f.regular || f.borrowed)
        rc = tsl_err_set(err, TSL_EUSAGE,
                         "%s: only a regular file can be read twice, as this needs",
                         f.name);
    tsl_file_close(&f, NULL);
    if (rc == 0)
        rc = tsl_recnative_reader_open(&r, path, &o, err);
    if (rc < 0)
        return rc;
    tsl_recnative_reader_keep_index(r);
    const struct tsl_recindex *seen = tsl_recnative_reader_seen(r, &end, &sum);
    struct tsl_recindex good = *seen;
    while ((rc = tsl_recnative_reader_block(r, &b, &n->why)) == 1)
        if (!b->goes_on)
            good = *tsl_recnative_reader_seen(r, &end, &sum);
    n->whole = rc == 0;
    if (rc == TSL_EIO || rc == TSL_ENOMEM) {
        tsl_err_pass(err, &n->why);
        goto out;
    }
    n->nblocks = good.nblocks;
    n->nrecords = good.nrecords;
    n->bytes_kept = end;
    good.entries =
        tsl_recnative_reader_seen(r, &at, &sum)->entries; /* it may have moved */
    rc = copy(path, end, out, err);
    if (rc == 0)
        rc = write_trailer(&good, end, sum, out, err);
out:
    tsl_recnative_reader_destroy(r);
    return rc;
}
