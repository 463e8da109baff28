#include "tensor/tensor.h"

#include <inttypes.h>
#include <stdio.h>

bool tsl_tensor_contiguous(const struct tsl_tensor *t)
{
    int64_t expected = 1;
    for (unsigned i = t->rank; i-- > 0;) {
        if (t->dim[i] != 1 && t->stride[i] != expected)
            return false;
        expected *= t->dim[i];
    }
    return true;
}

bool tsl_tensor_same_shape(const struct tsl_tensor *a, const struct tsl_tensor *b)
{
    if (a->rank != b->rank)
        return false;
    for (unsigned i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

size_t tsl_tensor_cols(const struct tsl_tensor *t)
{
    return t->rank ? (size_t)t->dim[t->rank - 1] : 1;
}

size_t tsl_tensor_rows(const struct tsl_tensor *t)
{
    size_t n = 1;
    for (unsigned i = 0; i + 1 < t->rank; i++)
        n *= (size_t)t->dim[i];
    return n;
}

char *tsl_tensor_describe(const struct tsl_tensor *t, char *text)
{
    static const char *const types[] = { "f32", "bf16", "i32" };
    int at = snprintf(text, TSL_TENSOR_TEXT, "%s [", types[t->type]);
    for (unsigned i = 0; i < t->rank; i++)
        at += snprintf(text + at, (size_t)(TSL_TENSOR_TEXT - at), "%s%" PRId64,
                       i ? "," : "", t->dim[i]);
    snprintf(text + at, (size_t)(TSL_TENSOR_TEXT - at), "]");
    return text;
}
