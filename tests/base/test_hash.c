#include "support/test.h"

#include "base/hash.h"
#include "support/gendata.h"

/* Values of the xxHash specification's sanity checks: the algorithm is XXH3, not a
 * relative. */
static void the_hash_is_xxh3(void **state)
{
    (void)state;
    assert_true(tsl_hash64("", 0, 0) == UINT64_C(0x2d06800538d394c2));
    struct tsl_u128 e = tsl_hash128("", 0);
    assert_true(e.lo == UINT64_C(0x6001c324468d497f) &&
                e.hi == UINT64_C(0x99aa06d3014798d8));
}

static void the_seed_counts(void **state)
{
    (void)state;
    assert_true(tsl_hash64("abc", 3, 0) != tsl_hash64("abc", 3, 1));
}

static void pieces_hash_as_the_whole(void **state)
{
    struct gen g = { 1 };
    static uint8_t p[100000];
    (void)state;
    gen_bytes(&g, p, sizeof p);
    for (int i = 0; i < 300; i++) {
        size_t n = gen_below(&g, i % 2 ? 600 : sizeof p), at = 0;
        struct tsl_hasher h;
        tsl_hasher_init(&h);
        while (at < n) {
            size_t k = 1 + gen_below(&g, 1 + (n - at));
            if (k > n - at)
                k = n - at;
            tsl_hasher_add(&h, p + at, k);
            at += k;
        }
        assert_true(tsl_u128_equal(tsl_hasher_end(&h), tsl_hash128(p, n)));
    }
}

/* xxhash.h, as it is compiled here, for every processor. */
static void registers_of_any_width_give_the_same_hash(void **state)
{
    struct gen g = { 2 };
    static uint8_t p[5000];
    (void)state;
    gen_bytes(&g, p, sizeof p);
    for (size_t n = 0; n + 3 < sizeof p; n += n < 600 ? 1 : 37) {
        const uint8_t *from = p + n % 4;
        XXH128_hash_t h = XXH3_128bits(from, n);
        struct tsl_hasher64 pieces;
        assert_true(tsl_hash64(from, n, n * 7) == XXH3_64bits_withSeed(from, n, n * 7));
        assert_true(
            tsl_u128_equal(tsl_hash128(from, n), (struct tsl_u128){ h.low64, h.high64 }));
        tsl_hasher64_init(&pieces, n);
        tsl_hasher64_add(&pieces, from, n / 3);
        tsl_hasher64_add(&pieces, from + n / 3, n - n / 3);
        assert_true(tsl_hasher64_end(&pieces) == XXH3_64bits_withSeed(from, n, n));
        assert_true(pieces.nbytes == n);
    }
}

static void sums_carry(void **state)
{
    struct tsl_u128 s = { UINT64_MAX, 1 };
    (void)state;
    tsl_u128_add(&s, (struct tsl_u128){ 1, 0 });
    assert_true(s.lo == 0 && s.hi == 2);
    tsl_u128_add(&s, (struct tsl_u128){ 0, UINT64_MAX });
    assert_true(s.lo == 0 && s.hi == 1);
    tsl_u128_add(&s, (struct tsl_u128){ UINT64_MAX, UINT64_MAX });
    assert_true(s.lo == UINT64_MAX && s.hi == 0);
}

static void a_sum_knows_the_rows_but_not_their_order(void **state)
{
    static const char *const rows[] = { "a", "b", "", "b", "cc" };
    struct tsl_u128 up = { 0, 0 }, down = { 0, 0 }, other = { 0, 0 };
    (void)state;
    for (int i = 0; i < 5; i++) {
        tsl_u128_add(&up, tsl_hash128(rows[i], strlen(rows[i])));
        tsl_u128_add(&down, tsl_hash128(rows[4 - i], strlen(rows[4 - i])));
        const char *r = i == 3 ? "a" : rows[i]; /* a, a, b instead of a, b, b */
        tsl_u128_add(&other, tsl_hash128(r, strlen(r)));
    }
    assert_true(tsl_u128_equal(up, down));
    assert_false(tsl_u128_equal(up, other));
}

static void both_halves_are_compared(void **state)
{
    (void)state;
    assert_false(tsl_u128_equal((struct tsl_u128){ 1, 2 }, (struct tsl_u128){ 1, 3 }));
    assert_false(tsl_u128_equal((struct tsl_u128){ 1, 2 }, (struct tsl_u128){ 2, 2 }));
    assert_true(tsl_u128_equal((struct tsl_u128){ 1, 2 }, (struct tsl_u128){ 1, 2 }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_hash_is_xxh3),
        TEST(the_seed_counts),
        TEST(pieces_hash_as_the_whole),
        TEST(registers_of_any_width_give_the_same_hash),
        TEST(sums_carry),
        TEST(a_sum_knows_the_rows_but_not_their_order),
        TEST(both_halves_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
