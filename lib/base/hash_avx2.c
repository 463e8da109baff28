/* xxhash.h as the Makefile has it compiled with -mavx2: of its own accord it then takes 32 bytes
 * at a time.  All that it defines is static, so no other file gets code from here. */
#include "base/hash.h"

#if defined __AVX2__
uint64_t tsl_hash64_avx2(const void *p, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(p, n, seed);
}

struct tsl_u128 tsl_hash128_avx2(const void *p, size_t n)
{
    XXH128_hash_t h = XXH3_128bits(p, n);
    return (struct tsl_u128){ h.low64, h.high64 };
}

void tsl_hash64_add_avx2(XXH3_state_t *s, const void *p, size_t n)
{
    (void)XXH3_64bits_update(s, p, n);
}

void tsl_hash128_add_avx2(XXH3_state_t *s, const void *p, size_t n)
{
    (void)XXH3_128bits_update(s, p, n);
}
#endif
