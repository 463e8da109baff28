#include "base/permute.h"

enum { ROUNDS = 12 };

struct tsl_permute tsl_permute_make(uint64_t seed, const char *purpose, uint64_t n)
{
    unsigned bits = n > 1 ? 64 - (unsigned)__builtin_clzll(n - 1) : 0;
    bits = bits < 2 ? 2 : bits;
    return (struct tsl_permute){ tsl_key_make(seed, purpose), n, bits / 2,
                                 bits - bits / 2 };
}

struct tsl_permute tsl_permute_epoch(uint64_t seed, uint64_t epoch, uint64_t n)
{
    struct tsl_key epochs = tsl_key_make(seed, "epochs of records");
    return tsl_permute_make(tsl_key_at(&epochs, epoch), "order of records", n);
}

static uint64_t low_bits(unsigned n)
{
    return (UINT64_C(1) << n) - 1;
}

/* The half that is changed alternates; the round enters the index beside the other half,
 * which has at most 32 bits. */
static uint64_t feistel(const struct tsl_permute *p, uint64_t x)
{
    uint64_t left = x >> p->right_bits, right = x & low_bits(p->right_bits);
    for (uint64_t r = 0; r < ROUNDS; r += 2) {
        left ^= tsl_key_at(&p->key, r << 32 | right) & low_bits(p->left_bits);
        right ^= tsl_key_at(&p->key, (r + 1) << 32 | left) & low_bits(p->right_bits);
    }
    return left << p->right_bits | right;
}

uint64_t tsl_permute_at(const struct tsl_permute *p, uint64_t i)
{
    do
        i = feistel(p, i);
    while (i >= p->n); /* fewer than 2 turns on average */
    return i;
}
