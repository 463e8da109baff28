#include "tensor/params.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/fixmath.h"
#include "base/key.h"
#include "base/mem.h"

enum { ALIGN_NUMBERS = 16 }; /* 64 bytes */
#define NUMBERS_MAX                                                                      \
    (SIZE_MAX / 64) /* so that bytes of all, rounded up, do not overflow */

static size_t rounded_up(size_t n)
{
    return (n + ALIGN_NUMBERS - 1) / ALIGN_NUMBERS * ALIGN_NUMBERS;
}

int tsl_params_add(struct tsl_params *p, const char *name, unsigned rank,
                   const int64_t *dim, struct tsl_err *err)
{
    assert(!p->values);
    if (tsl_params_find(p, name))
        return tsl_err_set(err, TSL_EUSAGE, "two parameters are called %s", name);
    if (rank > TSL_RANK_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "%s: %u axes, at most %d are possible", name,
                           rank, TSL_RANK_MAX);
    size_t n = 1;
    for (unsigned i = 0; i < rank; i++)
        if (dim[i] < 1 || __builtin_mul_overflow(n, (size_t)dim[i], &n) ||
            n > NUMBERS_MAX)
            return tsl_err_set(err, TSL_EUSAGE, "%s: axis %u has a length of %lld", name,
                               i, (long long)dim[i]);
    if (n > NUMBERS_MAX - p->numbers)
        return tsl_err_set(err, TSL_EUSAGE, "%s: no machine holds so many parameters",
                           name);
    int rc =
        tsl_mem_grow(&p->item, &p->cap, p->n + 1, sizeof *p->item, "parameters", err);
    if (rc < 0)
        return rc;
    struct tsl_param *item = &p->item[p->n];
    *item = (struct tsl_param){ .name = tsl_mem_strdup(name, err), .rank = rank, .n = n };
    if (!item->name)
        return TSL_ENOMEM;
    for (unsigned i = 0; i < rank; i++)
        item->dim[i] = dim[i];
    p->numbers += rounded_up(n);
    return (int)p->n++;
}

struct tsl_param *tsl_params_find(const struct tsl_params *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (!strcmp(p->item[i].name, name))
            return &p->item[i];
    return NULL;
}

int tsl_params_alloc(struct tsl_params *p, struct tsl_err *err)
{
    assert(!p->values);
    size_t bytes = (p->numbers ? p->numbers : 1) * sizeof(float);
    p->values = tsl_pages_map(bytes, "parameters", err);
    p->grads = p->values ? tsl_pages_map(bytes, "gradients", err) : NULL;
    if (!p->grads) {
        tsl_pages_unmap(p->values, bytes);
        p->values = NULL;
        return TSL_ENOMEM;
    }
    tsl_pages_want_huge(p->values, bytes);
    tsl_pages_want_huge(p->grads, bytes);
    size_t at = 0;
    for (size_t i = 0; i < p->n; i++) {
        p->item[i].value = p->values + at;
        p->item[i].grad = p->item[i].frozen ? NULL : p->grads + at;
        at += rounded_up(p->item[i].n);
    }
    return 0;
}

/* A standard normal number, again and again until it lies within two deviations.  Marsaglia's
 * polar method: no sine, so the same bits everywhere. */
static double truncated_normal(const struct tsl_key *k, uint64_t index)
{
    for (uint64_t try = 0;; try++) {
        uint64_t bits = tsl_key_at128(k, (struct tsl_u128){ index, try });
        double u = (double)(bits >> 32) * 0x1p-31 - 1;
        double v = (double)(bits & 0xffffffff) * 0x1p-31 - 1;
        double s = u * u + v * v;
        if (s >= 1 || s == 0)
            continue;
        double x = u * sqrt(-2 * tsl_fixmath_log(s) / s);
        if (x >= -2 && x <= 2)
            return x;
    }
}

void tsl_params_init(struct tsl_params *p, uint64_t seed)
{
    for (size_t i = 0; i < p->n; i++) {
        struct tsl_param *item = &p->item[i];
        struct tsl_key key = tsl_key_make(
            tsl_hash64(item->name, strlen(item->name), seed), "initial value");
        for (size_t j = 0; j < item->n; j++)
            item->value[j] = item->init_std != 0
                                 ? (float)(item->init_std * truncated_normal(&key, j))
                                 : item->init_value;
    }
}

void tsl_params_fini(struct tsl_params *p)
{
    size_t bytes = (p->numbers ? p->numbers : 1) * sizeof(float);
    tsl_pages_unmap(p->values, bytes);
    tsl_pages_unmap(p->grads, bytes);
    for (size_t i = 0; i < p->n; i++)
        tsl_mem_free(p->item[i].name);
    tsl_mem_free(p->item);
    *p = (struct tsl_params){ 0 };
}
