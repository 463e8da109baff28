#include "record/recout.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

static char *name_of(const char *stem, const char *suffix, struct tsl_err *err)
{
    size_t n = strlen(stem) + strlen(suffix) + 1;
    char *name = tsl_mem_alloc(n, 1, "a name", err);
    if (name)
        snprintf(name, n, "%s%s", stem, suffix);
    return name;
}

int tsl_recout_open(struct tsl_recout *o, const char *stem, const char *suffix,
                    enum tsl_codec codec, int level, const struct tsl_rechelp *help,
                    struct tsl_err *err)
{
    struct tsl_sink_opts so = { .codec = codec,
                                .level = level,
                                .pool = help->pool,
                                .nthreads =
                                    help->pool ? tsl_pool_threads(help->pool) : 1 };
    const char *slash = stem ? strrchr(stem, '/') : NULL;
    char *path = NULL;
    int rc = TSL_ENOMEM;
    *o = (struct tsl_recout){ .open = false };
    o->hash = tsl_pages_map(sizeof *o->hash, "a checksum", err);
    o->file.name = stem ? name_of(slash ? slash + 1 : stem, suffix, err)
                        : tsl_mem_strdup("standard output", err);
    path = stem ? name_of(stem, suffix, err) : NULL;
    if (!o->hash || !o->file.name || (stem && !path))
        goto out;
    tsl_hasher64_init(o->hash, 0);
    rc = tsl_sink_open(&o->sink, path, false, &so, err);
    if (rc < 0)
        goto out;
    o->sink.out.file.hash = o->hash;
    tsl_sink_behind(&o->sink, help->behind);
    o->open = true;
out:
    tsl_mem_free(path);
    if (rc < 0)
        tsl_recout_close(o);
    return rc;
}

int tsl_recout_write(struct tsl_recout *o, const void *p, size_t n, struct tsl_err *err)
{
    return tsl_sink_write(&o->sink, p, n, err);
}

int tsl_recout_lend(struct tsl_recout *o, const void *p, size_t n, struct tsl_err *err)
{
    assert(!o->sink.frames && o->hash->nbytes == o->sink.bytes);
    if (!o->lent) /* once: from then on the writing thread looks at it */
        o->sink.out.file.hash = NULL;
    o->lent = true;
    tsl_hasher64_add(o->hash, p, n);
    return tsl_sink_lend(&o->sink, p, n, err);
}

int tsl_recout_room(struct tsl_recout *o, size_t n, uint8_t **to, struct tsl_err *err)
{
    int rc = tsl_sink_room(&o->sink, n, to, err);
    o->scratched = *to == NULL;
    if (rc < 0 || *to)
        return rc;
    rc = tsl_mem_grow(&o->scratch, &o->scratch_cap, n, 1, "a record", err);
    *to = o->scratch;
    return rc;
}

int tsl_recout_took(struct tsl_recout *o, size_t n, struct tsl_err *err)
{
    if (o->scratched)
        return tsl_sink_write(&o->sink, o->scratch, n, err);
    tsl_sink_took(&o->sink, n);
    return 0;
}

int tsl_recout_patch(struct tsl_recout *o, uint64_t at, const void *p, size_t n,
                     struct tsl_err *err)
{
    struct tsl_sink *s = &o->sink;
    if (s->frames || !s->out.file.regular)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: this format is completed at its beginning, and cannot be "
                           "written to a pipe or compressed as a whole",
                           s->out.file.name);
    int rc = tsl_sink_flush(s, err);
    if (rc == 0)
        rc = tsl_file_pwrite(&s->out.file, p, n, at, err);
    o->patched = true;
    return rc;
}

/* The hash of a file of which earlier bytes were changed: of what it holds now. */
static int hash_again(struct tsl_recout *o, struct tsl_err *err)
{
    enum { CHUNK = 256 << 10 };
    uint64_t n = o->hash->nbytes;
    uint8_t *buf = tsl_pages_map(CHUNK, "a read buffer", err);
    int rc = buf ? 0 : TSL_ENOMEM;
    tsl_hasher64_init(o->hash, 0);
    for (uint64_t at = 0; rc == 0 && at < n; at += CHUNK) {
        size_t take = n - at < CHUNK ? (size_t)(n - at) : CHUNK;
        rc = tsl_file_pread(&o->sink.out.file, buf, take, at, err);
        if (rc == 0)
            tsl_hasher64_add(o->hash, buf, take);
    }
    tsl_pages_unmap(buf, CHUNK);
    return rc;
}

int tsl_recout_done(struct tsl_recout *o, struct tsl_err *err)
{
    int rc = 0;
    if (o->patched) {
        rc = tsl_sink_flush(&o->sink, err);
        if (rc == 0)
            rc = hash_again(o, err);
        if (rc < 0)
            return rc;
    }
    rc = tsl_sink_done(&o->sink, err);
    o->file.bytes = o->hash->nbytes;
    o->file.xxh3 = tsl_hasher64_end(o->hash);
    return rc;
}

int tsl_recout_commit(struct tsl_recout *o, struct tsl_err *err)
{
    return tsl_sink_commit(&o->sink, err);
}

int tsl_recout_commit_all(struct tsl_recout *const *all, size_t n,
                          struct tsl_recfile *files, struct tsl_err *err)
{
    struct tsl_outfile *outs[TSL_RECOUT_FILES_MAX];
    assert(n <= TSL_RECOUT_FILES_MAX);
    for (size_t i = 0; i < n; i++) {
        outs[i] = &all[i]->sink.out;
        files[i] = all[i]->file;
    }
    return tsl_outfile_commit_all(outs, n, err);
}

void tsl_recout_close(struct tsl_recout *o)
{
    if (o->open)
        tsl_sink_close(&o->sink);
    tsl_pages_unmap(o->hash, sizeof *o->hash);
    tsl_mem_free(o->file.name);
    tsl_mem_free(o->scratch);
    *o = (struct tsl_recout){ .open = false };
}
