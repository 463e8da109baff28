#include "samples/growfile.h"

#include <string.h>

#include "base/mem.h"

int tsl_growfile_init(struct tsl_growfile *g, size_t memory, const char *dir,
                      struct tsl_err *err)
{
    *g = (struct tsl_growfile){ .dir = dir, .cap = memory, .file = TSL_FILE_INIT };
    g->pages = tsl_pages_map(memory ? memory : 1, "documents", err);
    return g->pages ? 0 : TSL_ENOMEM;
}

/* Everything goes to a file. */
static int move_out(struct tsl_growfile *g, struct tsl_err *err)
{
    int rc = tsl_file_temp(&g->file, g->dir, false, err);
    if (rc == 0)
        rc = tsl_file_write(&g->file, g->pages, (size_t)g->len, err);
    if (rc < 0)
        return rc;
    tsl_pages_unmap(g->pages, g->cap ? g->cap : 1);
    g->pages = NULL;
    return 0;
}

int tsl_growfile_put(struct tsl_growfile *g, const void *p, size_t n, struct tsl_err *err)
{
    int rc = 0;
    if (g->pages && n > g->cap - g->len)
        rc = move_out(g, err);
    if (rc == 0 && g->pages && n)
        memcpy(g->pages + g->len, p, n);
    else if (rc == 0)
        rc = tsl_file_write(&g->file, p, n, err);
    if (rc == 0)
        g->len += n;
    return rc;
}

int tsl_growfile_get(const struct tsl_growfile *g, uint64_t at, size_t n, void *buf,
                     const uint8_t **p, struct tsl_err *err)
{
    *p = g->pages ? g->pages + at : buf;
    return g->pages ? 0 : tsl_file_pread(&g->file, buf, n, at, err);
}

void tsl_growfile_fini(struct tsl_growfile *g)
{
    tsl_pages_unmap(g->pages, g->cap ? g->cap : 1);
    tsl_file_close(&g->file, NULL);
    g->pages = NULL;
}
