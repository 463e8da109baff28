/* recdata.h - schemas and records for tests: the same for the same seed. */
#ifndef TSL_RECDATA_H
#define TSL_RECDATA_H

#include <stdio.h>

#include "record/record.h"
#include "support/gendata.h"

/* A schema of 1 to 8 columns of all types and shapes. */
static inline void recdata_schema(struct tsl_schema *s, uint64_t seed)
{
    struct gen g = { seed };
    size_t n = 1 + gen_below(&g, 8);
    *s = (struct tsl_schema){ .ncolumns = 0 };
    for (size_t i = 0; i < n; i++) {
        char name[16];
        uint32_t dims[2] = { 1 + (uint32_t)gen_below(&g, 4),
                             1 + (uint32_t)gen_below(&g, 5) };
        bool list = gen_below(&g, 2);
        enum tsl_dtype type = (enum tsl_dtype)gen_below(&g, TSL_NDTYPES);
        if (gen_below(&g, 10) == 0)
            dims[0] = 300; /* laid out as a list */
        snprintf(name, sizeof name, "c%zu", i);
        (void)tsl_schema_add(s, name, type, list, list ? 0 : (uint32_t)gen_below(&g, 3),
                             dims, NULL);
    }
}

/* A record with memory of its own. */
struct recdata {
    struct tsl_value values[TSL_COLUMNS_MAX];
    uint8_t *data[TSL_COLUMNS_MAX];
    uint32_t *lens[TSL_COLUMNS_MAX];
    size_t ncolumns;
};

static inline void recdata_free(struct recdata *r)
{
    for (size_t i = 0; i < r->ncolumns; i++) {
        free(r->data[i]);
        free(r->lens[i]);
    }
    r->ncolumns = 0;
}

/* Lists of fewer than most values, strings of fewer than most bytes. */
static inline void recdata_record(struct recdata *r, const struct tsl_schema *s,
                                  uint64_t seed, uint64_t most)
{
    struct gen g = { seed * 77 + 5 };
    *r = (struct recdata){ .ncolumns = s->ncolumns };
    for (size_t i = 0; i < s->ncolumns; i++) {
        const struct tsl_column *c = &s->columns[i];
        uint32_t n =
            c->count ? c->count : (uint32_t)gen_below(&g, gen_below(&g, most) + 1);
        size_t size = tsl_dtype_bytes(c->type), bytes = n * size;
        if (!size && !c->count)
            n = (uint32_t)(n % 7);
        r->lens[i] = size ? NULL : malloc(4 * (size_t)n + 1);
        for (uint32_t k = 0; !size && k < n; k++)
            bytes += r->lens[i][k] =
                (uint32_t)gen_below(&g, gen_below(&g, most) / (n / 8 + 1) + 1);
        r->data[i] = malloc(bytes + 1);
        for (size_t k = 0; k < bytes; k++) {
            uint8_t x = (uint8_t)gen_below(&g, 23);
            r->data[i][k] = c->type == TSL_BIT ? x & 1 : size ? x : (uint8_t)('a' + x);
        }
        if (c->type == TSL_JSON) /* digits are a JSON text each; one digit at least */
            for (size_t k = 0; k < bytes; k++)
                r->data[i][k] = (uint8_t)('1' + r->data[i][k] % 9);
        r->values[i] = (struct tsl_value){ r->data[i], r->lens[i], n };
    }
}

static inline bool recdata_equal(const struct tsl_schema *s, const struct tsl_value *a,
                                 const struct tsl_value *b)
{
    for (size_t i = 0; i < s->ncolumns; i++) {
        bool text = tsl_dtype_bytes(s->columns[i].type) == 0;
        if (a[i].n != b[i].n)
            return false;
        if (a[i].n && (text != !!a[i].lens || text != !!b[i].lens ||
                       (text && memcmp(a[i].lens, b[i].lens, 4 * (size_t)a[i].n) != 0)))
            return false;
        size_t n = (size_t)tsl_value_bytes(&s->columns[i], &a[i]);
        if (n && memcmp(a[i].data, b[i].data, n) != 0)
            return false;
    }
    return true;
}

#endif
