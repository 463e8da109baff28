#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "record/varints.h"

static uint64_t state_of_draws = 88172645463325252u;

static uint64_t draw(void)
{
    uint64_t x = state_of_draws;
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return state_of_draws = x;
}

/* By the definition: seven bits at a time, of a number as 64 bits with its sign. */
static size_t by_hand(uint8_t *to, uint64_t v)
{
    size_t n = 0;
    for (; v > 127; v >>= 7)
        to[n++] = (uint8_t)(v & 127) | 128;
    to[n++] = (uint8_t)v;
    return n;
}

static const enum tsl_dtype types[] = { TSL_BIT, TSL_U8,  TSL_I8,  TSL_U16, TSL_I16,
                                        TSL_U32, TSL_I32, TSL_U64, TSL_I64 };

static uint64_t as_64(enum tsl_dtype t, const uint8_t *p)
{
    uint64_t x = 0;
    size_t size = tsl_dtype_bytes(t);
    memcpy(&x, p, size); /* little-endian */
    bool is_signed = t == TSL_I8 || t == TSL_I16 || t == TSL_I32;
    if (is_signed && x >> (8 * size - 1))
        x |= UINT64_MAX << (8 * size);
    return x;
}

static void numbers_of_any_type_and_size_are_coded_as_defined(void **state)
{
    (void)state;
    enum { MOST = 100 };
    uint8_t want[MOST * TSL_VARINT_BYTES];
    for (int turn = 0; turn < 20000; turn++) {
        enum tsl_dtype t = types[draw() % (sizeof types / sizeof types[0])];
        size_t size = tsl_dtype_bytes(t), n = draw() % MOST, len = 0;
        /* in memory of their own sizes, so that one byte too many is seen */
        uint8_t *v = malloc(n * size + 1);
        uint8_t *to = malloc(n * TSL_VARINT_BYTES + TSL_VARINTS_SLACK);
        unsigned bits = (unsigned)(draw() % 64 + 1);
        for (size_t i = 0; i < n; i++) {
            uint64_t x = draw() >> (64 - (draw() % 8 ? bits : 64));
            if (t == TSL_BIT)
                x &= 1;
            memcpy(v + i * size, &x, size);
            len += by_hand(want + len, as_64(t, v + i * size));
        }
        uint8_t *end = tsl_varints_put(to, t, v, n);
        assert_int_equal(end - to, len);
        assert_memory_equal(to, want, len);
        end = tsl_varints_put_plain(to, t, v, n);
        assert_int_equal(end - to, len);
        assert_memory_equal(to, want, len);
        end = tsl_varints_coder(t)(to, t, v, n);
        assert_int_equal(end - to, len);
        assert_memory_equal(to, want, len);
        end = to;
        for (size_t i = 0; i < n; i++) {
            uint8_t *at = end;
            end = tsl_varint_put(at, as_64(t, v + i * size));
            assert_int_equal(end - at, tsl_varint_bytes(as_64(t, v + i * size)));
        }
        assert_int_equal(end - to, len);
        assert_memory_equal(to, want, len);
        free(v);
        free(to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_of_any_type_and_size_are_coded_as_defined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
