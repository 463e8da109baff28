#include "io/rowstream.h"

#include "base/mem.h"

int tsl_rowstream_init(struct tsl_rowstream *r, const struct tsl_inputs_opts *o,
                       struct tsl_err *err)
{
    *r = (struct tsl_rowstream){ .frame = o->frame };
    int rc = tsl_rowbatch_init(&r->batch, o->batch_bytes, TSL_ROWSTREAM_ROWS, err);
    if (rc == 0)
        rc = tsl_inputs_create(&r->in, o, err);
    if (rc < 0)
        tsl_rowstream_fini(r);
    return rc;
}

void tsl_rowstream_fini(struct tsl_rowstream *r)
{
    tsl_inputs_destroy(r->in);
    tsl_rowbatch_fini(&r->batch);
    *r = (struct tsl_rowstream){ 0 };
}

int tsl_rowstream_next(struct tsl_rowstream *r, struct tsl_rowpiece *p,
                       struct tsl_err *err)
{
    struct tsl_rowbatch *b = &r->batch;
    for (;;) {
        if (r->loaded && r->row < b->nrows) {
            struct tsl_row row = b->rows[r->row++];
            *p = (struct tsl_rowpiece){
                b->bytes + row.at,
                row.len,
                b->addr + row.at - tsl_frame_head(&r->frame),
                true,
                true,
            };
            return 1;
        }
        if (r->loaded && r->at < b->len) {
            r->at = tsl_frame_split(&r->frame, b->bytes, b->len, r->at, b->rows,
                                    b->rows_cap, &b->nrows);
            r->row = 0;
            continue;
        }
        int rc = tsl_inputs_next(r->in, b, err);
        if (rc <= 0)
            return rc;
        if (b->kind == TSL_BATCH_PIECE) {
            r->loaded = false;
            *p = (struct tsl_rowpiece){ b->bytes + b->rows[0].at, b->rows[0].len, b->addr,
                                        b->first, b->last };
            return 1;
        }
        r->loaded = true;
        r->at = r->row = b->nrows = 0;
    }
}
