/* Dropout: the generator's published answers; which numbers are dropped depends on nothing but
 * key and index. */
#include "tensor/dropout_body.h"

#include <math.h>

#include "support/kernelset.h"

static void philox_gives_its_published_answers(void **state)
{
    (void)state;
    /* Counter, key, what 7 and 10 rounds give: kat_vectors of the authors' Random123. */
    static const uint32_t known[3][14] = {
        { 0, 0, 0, 0, 0, 0, 0x5f6fb709, 0x0d893f64, 0x4f121f81, 0x4f730a48, 0x6627e8d5,
          0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 },
        { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff,
          0x5207ddc2, 0x45165e59, 0x4d8ee751, 0x8c52f662, 0x408f276d, 0x41c83b0e,
          0xa20bc7c6, 0x6d5451fd },
        { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0,
          0x4dfccaba, 0x190a87f0, 0xc47362ba, 0xb6b5242a, 0xd16cfe09, 0x94fdcceb,
          0x5001e420, 0x24126ea1 },
    };
    for (unsigned i = 0; i < 3; i++)
        for (unsigned ten = 0; ten < 2; ten++) {
            v16i c[4];
            for (unsigned w = 0; w < 4; w++)
                c[w] = v16i_set(known[i][w]);
            v16_philox(c, known[i][4], known[i][5], ten ? 10 : 7);
            for (unsigned w = 0; w < 4; w++) {
                uint32_t got[V16];
                v16i_store(got, c[w]);
                for (unsigned lane = 0; lane < V16; lane++)
                    assert_int_equal(got[lane], known[i][6 + 4 * ten + w]);
            }
        }
}

static void any_stretch_is_dropped_as_the_whole_is(void **state)
{
    (void)state;
    enum { N = 400 };
    size_t ntables;
    const struct tsl_kernels *const *k = kernelset(&ntables);
    struct tsl_dropout d = tsl_dropout_make(0.3, 0x0123456789abcdef, 42);
    const uint64_t base = (UINT64_C(1) << 34) - 100; /* counters grow beyond 32 bits */
    float x[N], whole[N], part[N];
    kernelset_fill(x, N, 1, 5);
    k[0]->dropout(whole, x, N, &d, base);
    for (size_t t = 0; t < ntables; t++)
        for (size_t from = 0; from < 70; from += t ? 1 : 7)
            for (size_t n = 0; n <= N - 70; n += 1 + n / 4) {
                uint64_t kept[N / 64 + 1] = { 0 };
                memset(part, 0x55, sizeof part);
                k[t]->dropout(part, x + from, n, &d, base + from);
                assert_memory_equal(part, whole + from, n * sizeof *part);
                uint32_t behind;
                memcpy(&behind, part + n, sizeof behind);
                assert_int_equal(behind, 0x55555555);
                k[t]->dropout_kept(kept, n, &d, base + from);
                for (size_t i = 0; i < n; i++)
                    assert_true((kept[i / 64] >> i % 64 & 1) == (part[i] != 0));
                for (size_t i = 0; i < n; i++)
                    assert_true(part[i] == 0 || part[i] == x[from + i] * d.scale);
            }
}

static void as_many_are_dropped_as_asked_for(void **state)
{
    (void)state;
    enum { WORDS = 1 << 14 };
    static uint64_t kept[WORDS], other[WORDS];
    const struct tsl_kernels *k = tsl_kernels();
    for (unsigned i = 0; i <= 9; i++) {
        double p = i == 9 ? 0.999 : 0.1 * i, n = 64.0 * WORDS, nkept = 0, both = 0;
        struct tsl_dropout d = tsl_dropout_make(p, 3, 4), e = tsl_dropout_make(p, 3, 5);
        k->dropout_kept(kept, (size_t)n, &d, 0);
        k->dropout_kept(other, (size_t)n, &e, 0);
        for (size_t w = 0; w < WORDS; w++) {
            nkept += __builtin_popcountll(kept[w]);
            both += __builtin_popcountll(kept[w] & other[w]);
        }
        double q = 1 - p;
        assert_true(fabs(nkept - n * q) <= 4 * sqrt(n * p * q));
        assert_true(fabs(both - n * q * q) <= 4 * sqrt(n * q * q * (1 - q * q)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(philox_gives_its_published_answers),
        TEST(any_stretch_is_dropped_as_the_whole_is),
        TEST(as_many_are_dropped_as_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
