/* opfixture.h - an operation's inputs, outputs and gradients (tests/data/train/ops) for tests of
 * kernels. */
#ifndef TSL_OPFIXTURE_H
#define TSL_OPFIXTURE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/fixture.h"
#include "support/test.h"
#include "train/safetensors.h"

enum { OPFIXTURE_MAX = 256 };

/* The tensor of that name of the operation's file, as doubles; how many there are. */
static inline size_t opfixture(const char *op, const char *name, double *to)
{
    struct tsl_err err = { 0 };
    struct tsl_safetensors *s;
    char from[64];
    size_t n;
    snprintf(from, sizeof from, "train/ops/%s.safetensors", op);
    uint8_t *bytes = fixture_get(from, &n);
    file_put("op.safetensors", bytes, n);
    free(bytes);
    assert_ok(tsl_safetensors_open(&s, "op.safetensors", &err), &err);
    const struct tsl_safetensors_entry *e = tsl_safetensors_need(s, name, &err);
    assert_ok(e ? 0 : err.code, &err);
    assert_true(e->n <= OPFIXTURE_MAX);
    if (e->type == TSL_ST_I32) {
        int32_t whole[OPFIXTURE_MAX];
        assert_ok(tsl_safetensors_read_i32(s, e, whole, &err), &err);
        for (size_t i = 0; i < e->n; i++)
            to[i] = whole[i];
    } else {
        assert_ok(tsl_safetensors_read_f64(s, e, to, &err), &err);
    }
    n = e->n;
    tsl_safetensors_close(s);
    return n;
}
/* The same as floats. */
static inline size_t opfixture_floats(const char *op, const char *name, float *to)
{
    double x[OPFIXTURE_MAX];
    size_t n = opfixture(op, name, x);
    for (size_t i = 0; i < n; i++)
        to[i] = (float)x[i];
    return n;
}
/* got is the tensor of that name, to within bound of its largest number. */
static inline void opfixture_is(const char *op, const char *name, const float *got,
                                double bound)
{
    double want[OPFIXTURE_MAX], most = 0;
    size_t n = opfixture(op, name, want);
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(want[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= bound * most))
            fail_msg("%s: %s[%zu] is %.9g, not %.9g", op, name, i, (double)got[i],
                     want[i]);
}

#endif
