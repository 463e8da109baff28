#include "base/key.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

__extension__ typedef unsigned __int128 u128;

struct tsl_key tsl_key_make(uint64_t seed, const char *purpose)
{
    /* seed and purpose in one message, so that neither is merely XORed in */
    unsigned char m[64] = { 0 };
    tsl_store64(m, seed);
    strncpy((char *)m + 8, purpose, sizeof m - 17);
    tsl_store64(m + sizeof m - 8, seed);
    struct tsl_u128 h = tsl_hash128(m, sizeof m);
    return (struct tsl_key){ tsl_hash64(m, sizeof m, h.lo ^ seed), h.lo, h.hi };
}

uint64_t tsl_key_below(const struct tsl_key *k, uint64_t index, uint64_t n)
{
    uint64_t x = tsl_key_at(k, index);
    __extension__ unsigned __int128 m = (unsigned __int128)x * n;
    if ((uint64_t)m < n) {
        uint64_t reject = -n % n;
        struct tsl_key again = { k->seed, k->after, k->before };
        while ((uint64_t)m < reject) {
            x = tsl_key_at(&again, x ^ index);
            m = (u128)x * n;
        }
    }
    return (uint64_t)(m >> 64);
}

uint64_t tsl_key_random_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed)
        return seed;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t m[3] = { (uint64_t)now.tv_sec, (uint64_t)now.tv_nsec, (uint64_t)getpid() };
    return tsl_hash64(m, sizeof m, 0);
}
