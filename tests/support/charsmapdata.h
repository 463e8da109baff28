/* charsmapdata.h - builds SentencePiece's precompiled character maps for tests.  Header
 * only. */
#ifndef TSL_CHARSMAPDATA_H
#define TSL_CHARSMAPDATA_H

#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/slice.h"

struct charsmapdata_pair {
    const char *key, *to;
};

/* The map of n pairs; to be freed.  Roomy, not small: node k has the 256 units from
 * 256 * (k + 1). */
static inline struct tsl_slice charsmapdata_build(const struct charsmapdata_pair *pairs,
                                                  size_t n)
{
    enum { NODES = 256 };
    static struct {
        int child[256];
        long value;
    } nodes[NODES];
    size_t nnodes = 1, pool = 0;
    memset(nodes, 0, sizeof nodes);
    nodes[0].value = -1;
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        for (const uint8_t *k = (const uint8_t *)pairs[i].key; *k; k++) {
            if (!nodes[at].child[*k]) {
                if (nnodes == NODES)
                    abort();
                nodes[nnodes].value = -1;
                nodes[at].child[*k] = (int)nnodes++;
            }
            at = (size_t)nodes[at].child[*k];
        }
        nodes[at].value = (long)pool;
        pool += strlen(pairs[i].to) + 1;
    }
    size_t nunits = 256 * (nnodes + 1), at = 4 + 4 * nunits;
    uint8_t *blob = calloc(at + pool, 1);
    tsl_store32(blob, (uint32_t)(4 * nunits));
    tsl_store32(blob + 4, 256U << 10);
    for (size_t k = 0; k < nnodes; k++) {
        uint32_t base = (uint32_t)(256 * (k + 1));
        for (uint32_t c = 0; c < 256; c++) {
            size_t child = (size_t)nodes[k].child[c];
            uint32_t to = (uint32_t)(256 * (child + 1));
            if (child)
                tsl_store32(blob + 4 + 4 * (base ^ c),
                            c | (base ^ c ^ to) << 10 |
                                (nodes[child].value >= 0 ? 0x100U : 0U));
        }
        if (nodes[k].value >= 0)
            tsl_store32(blob + 4 + 4 * base, (uint32_t)nodes[k].value | 0x80000000U);
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(blob + at, pairs[i].to, strlen(pairs[i].to) + 1);
        at += strlen(pairs[i].to) + 1;
    }
    return (struct tsl_slice){ blob, at };
}

#endif
