/* rowbatch.h - the batch: bytes that hold whole rows, the rows' places in them, and where
 * the bytes stood in the input.  Everything that streams is a batch of rows.
 *
 * A row longer than a batch travels as several batches of kind TSL_BATCH_PIECE, the first
 * and the last of them marked.
 * Memory: bytes and rows belong to whoever made the batch; reading into it allocates
 *   nothing.
 * Threads: one owner at a time; handing a batch on hands on all that hangs from it. */
#ifndef TSL_ROWBATCH_H
#define TSL_ROWBATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct tsl_row {
    uint32_t at, len; /* the row's own bytes, without separator or length prefix */
};

enum tsl_batch_kind { TSL_BATCH_ROWS, TSL_BATCH_PIECE };

struct tsl_rowbatch {
    uint8_t *bytes;
    size_t cap, len; /* cap leaves TSL_BATCH_SLACK bytes after it that may be written */
    uint64_t addr;   /* of bytes[0] (a piece: of its row) in the concatenated input */
    enum tsl_batch_kind kind;
    bool first, last; /* pieces only */
    uint64_t *addrs;  /* NULL: row i's address is addr + row[i].at - frame's prefix */
    struct tsl_row *rows;
    size_t nrows, rows_cap;
};

enum { TSL_BATCH_SLACK = 64 };

/* Room for cap bytes, the slack behind them, and rows_cap rows, for batches of nobody else's
 * memory.  0, or TSL_ENOMEM and an empty batch. */
int tsl_rowbatch_init(struct tsl_rowbatch *b, size_t cap, size_t rows_cap,
                      struct tsl_err *err);
/* Frees what init made; a batch of zeros is fine.  addrs are their owner's. */
void tsl_rowbatch_fini(struct tsl_rowbatch *b);

#endif
