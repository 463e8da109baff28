#include "record/value.h"

#include "support/test.h"

static void numbers_are_read_at_any_byte(void **state)
{
    (void)state;
    static const struct {
        enum tsl_dtype type;
        int64_t least, most;
    } whole[] = {
        { TSL_U8, 0, UINT8_MAX },   { TSL_I8, INT8_MIN, INT8_MAX },
        { TSL_U16, 0, UINT16_MAX }, { TSL_I16, INT16_MIN, INT16_MAX },
        { TSL_U32, 0, UINT32_MAX }, { TSL_I32, INT32_MIN, INT32_MAX },
        { TSL_U64, INT64_MIN, -1 }, { TSL_I64, INT64_MIN, INT64_MAX },
        { TSL_BIT, 0, 1 },
    };
    _Alignas(8) uint8_t bytes[32];
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        for (size_t at = 0; at < 8; at++) {
            size_t size = tsl_dtype_bytes(whole[i].type);
            const struct tsl_value v = { bytes + at, NULL, 2 };
            memset(bytes, 0x5a, sizeof bytes);
            memcpy(bytes + at, &whole[i].least, size); /* little-endian, as files are */
            memcpy(bytes + at + size, &whole[i].most, size);
            assert_true(tsl_value_whole(whole[i].type, &v, 0) == whole[i].least);
            assert_true(tsl_value_whole(whole[i].type, &v, 1) == whole[i].most);
        }
    for (size_t at = 0; at < 8; at++) {
        const struct tsl_value v = { bytes + at, NULL, 2 };
        const uint16_t half = 0xc500;
        const float single = -0.1f;
        const double x = 0.1;
        memcpy(bytes + at + 2, &half, 2);
        assert_true(tsl_value_real(TSL_F16, &v, 1) == -5);
        memcpy(bytes + at + 4, &single, 4);
        assert_true(tsl_value_real(TSL_F32, &v, 1) == (double)single);
        memcpy(bytes + at + 8, &x, 8);
        assert_true(tsl_value_real(TSL_F64, &v, 1) == x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(numbers_are_read_at_any_byte) };
    return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
