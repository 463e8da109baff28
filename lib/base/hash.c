#include "base/hash.h"

/* x86-64 alone has a second kind; others have what their every processor has, NEON say. */
#if defined __x86_64__
#define HAVE_AVX2 __builtin_cpu_supports("avx2")
#else
#define HAVE_AVX2 0
#define tsl_hash64_avx2(p, n, seed) 0
#define tsl_hash128_avx2(p, n) ((struct tsl_u128){ 0, 0 })
#define tsl_hash64_add_avx2(s, p, n) ((void)0)
#define tsl_hash128_add_avx2(s, p, n) ((void)0)
#endif

uint64_t tsl_hash64_long(const void *p, size_t n, uint64_t seed)
{
    if (HAVE_AVX2)
        return tsl_hash64_avx2(p, n, seed);
    return XXH3_64bits_withSeed(p, n, seed);
}

struct tsl_u128 tsl_hash128_long(const void *p, size_t n)
{
    if (HAVE_AVX2)
        return tsl_hash128_avx2(p, n);
    XXH128_hash_t h = XXH3_128bits(p, n);
    return (struct tsl_u128){ h.low64, h.high64 };
}

void tsl_hash64_add_long(XXH3_state_t *s, const void *p, size_t n)
{
    if (HAVE_AVX2)
        tsl_hash64_add_avx2(s, p, n);
    else
        (void)XXH3_64bits_update(s, p, n);
}

void tsl_hash128_add_long(XXH3_state_t *s, const void *p, size_t n)
{
    if (HAVE_AVX2)
        tsl_hash128_add_avx2(s, p, n);
    else
        (void)XXH3_128bits_update(s, p, n);
}
