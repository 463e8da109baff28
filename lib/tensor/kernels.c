#include "tensor/kernels.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/kernels_tables.h"

const struct tsl_kernels *tsl_kernels_named(const char *name)
{
#ifdef __x86_64__
    if (!strcmp(name, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                       __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512vl")
                   ? &tsl_kernels_avx512
                   : NULL;
    if (!strcmp(name, "avx2"))
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                   ? &tsl_kernels_avx2
                   : NULL;
#endif
    return strcmp(name, "ref") ? NULL : &tsl_kernels_ref;
}

const struct tsl_kernels *tsl_kernels(void)
{
    /* Two threads that come first together find the same. */
    static const struct tsl_kernels *_Atomic chosen;
    const struct tsl_kernels *k = chosen;
    if (k)
        return k;
    const char *wish = getenv("TSL_CPU");
    k = wish ? tsl_kernels_named(wish) : NULL;
    for (size_t i = 0; !k; i++)
        k = tsl_kernels_named((const char *[]){ "avx512", "avx2", "ref" }[i]);
    chosen = k;
    return k;
}
