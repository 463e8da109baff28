#include "shuf/rowblock.h"

static uint32_t align8(uint32_t n)
{
    return (n + 7) & ~UINT32_C(7);
}

void tsl_rowwriter_end(struct tsl_rowwriter *w, uint32_t chunk_bytes)
{
    if (w->nbits) {
        w->tail -= 8;
        memcpy(w->chunk + w->tail, &w->acc, 8);
    }
    struct tsl_block_head h = {
        .addr = w->first,
        .nrows = w->nrows,
        .row_bytes = w->head - TSL_BLOCK_HEAD,
        .code_words = (chunk_bytes - w->tail) / 8,
        .code_end = chunk_bytes,
        .typical_len = w->tune.typical_len,
        .addr_shift = w->tune.addr_shift,
        .len_shift = w->tune.len_shift,
    };
    memcpy(w->chunk, &h, sizeof h);
    w->chunk = NULL;
}

void tsl_block_plain(uint8_t *chunk, uint32_t n)
{
    struct tsl_block_head h = { .row_bytes = n, .code_end = align8(TSL_BLOCK_HEAD + n) };
    memcpy(chunk, &h, sizeof h);
}

uint32_t tsl_block_compact(uint8_t *chunk)
{
    struct tsl_block_head h;
    memcpy(&h, chunk, sizeof h);
    uint32_t codes = align8(TSL_BLOCK_HEAD + h.row_bytes), n = 8 * h.code_words;
    memmove(chunk + codes, chunk + h.code_end - n, n);
    h.code_end = codes + n;
    memcpy(chunk, &h, sizeof h);
    return h.code_end;
}

/* The shift at which a Rice code of a geometric variable with this mean is shortest, near
 * enough: log2(mean * ln 2). */
static uint8_t rice_shift(double mean)
{
    uint8_t shift = 0;
    for (mean *= 0.69; mean >= 1 && shift < 39; mean /= 2)
        shift++;
    return shift;
}

struct tsl_block_tune tsl_block_tune_for(double mean_len, double mean_dev, double gap)
{
    struct tsl_block_tune t = { .typical_len = (uint32_t)mean_len };
    t.addr_shift = rice_shift(gap);
    t.len_shift = rice_shift(2 * mean_dev); /* zigzag doubles */
    return t;
}
