#include "record/recout.h"

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
                    enum tsl_codec codec, int level, struct tsl_err *err)
{
    struct tsl_sink_opts so = { .codec = codec, .level = level, .nthreads = 1 };
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

int tsl_recout_done(struct tsl_recout *o, struct tsl_err *err)
{
    int rc = tsl_sink_done(&o->sink, err);
    o->file.bytes = o->hash->nbytes;
    o->file.xxh3 = tsl_hasher64_end(o->hash);
    return rc;
}

int tsl_recout_commit(struct tsl_recout *o, struct tsl_err *err)
{
    return tsl_sink_commit(&o->sink, err);
}

void tsl_recout_close(struct tsl_recout *o)
{
    if (o->open)
        tsl_sink_close(&o->sink);
    tsl_pages_unmap(o->hash, sizeof *o->hash);
    tsl_mem_free(o->file.name);
    *o = (struct tsl_recout){ .open = false };
}
