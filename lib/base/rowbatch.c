#include "base/rowbatch.h"

#include "base/mem.h"

int tsl_rowbatch_init(struct tsl_rowbatch *b, size_t cap, size_t rows_cap,
                      struct tsl_err *err)
{
    *b = (struct tsl_rowbatch){ .cap = cap, .rows_cap = rows_cap };
    b->bytes = tsl_pages_map(cap + TSL_BATCH_SLACK, "a batch", err);
    if (b->bytes)
        b->rows = tsl_mem_alloc(rows_cap, sizeof *b->rows, "a batch", err);
    if (b->rows)
        return 0;
    tsl_rowbatch_fini(b);
    return TSL_ENOMEM;
}

void tsl_rowbatch_fini(struct tsl_rowbatch *b)
{
    if (b->bytes)
        tsl_pages_unmap(b->bytes, b->cap + TSL_BATCH_SLACK);
    tsl_mem_free(b->rows);
    *b = (struct tsl_rowbatch){ .addrs = b->addrs };
}
