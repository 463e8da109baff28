#include "support/test.h"

#include <string.h>

#include "prep/specials.h"

/* Vocabularies with specials at either end, in the middle, everywhere and nowhere. */
static void ids_are_special_as_the_plain_list_says(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 5; kind++) {
        struct tsl_err err = { 0 };
        struct tsl_specials x;
        uint8_t reserved[64] = { 0 };
        bool want[600] = { false };
        uint32_t ids[600], n = 500, nfree = 0;
        uint64_t set[10];
        struct tsl_special_ids special = { -1, -1, -1, -1, -1, -1, -1, reserved, n };
        if (kind < 2)
            special.cls = 3, special.mask = 499;
        for (uint32_t id = 0; id < n; id++) {
            bool is = kind == 1   ? id < 20 || id > 490
                      : kind == 2 ? id % 37 == 5
                                  : kind == 3;
            if (is)
                reserved[id / 8] |= (uint8_t)(1 << id % 8);
            want[id] = is || (kind < 2 && (id == 3 || id == 499));
            nfree += !want[id];
        }
        assert_ok(tsl_specials_init(&x, &special, &err), &err);
        assert_int_equal(x.nfree, nfree);
        for (uint32_t id = 0; id < 600; id++) {
            ids[id] = id;
            assert_int_equal(tsl_specials_has(&x, id), want[id] || id >= n);
        }
        for (uint32_t len = 0; len < 600; len += 13) {
            memset(set, 0xee, sizeof set);
            tsl_specials_find(&x, ids + 600 - len, len, set);
            for (uint32_t i = 0; i < len; i++)
                assert_int_equal(set[i / 64] >> (i % 64) & 1,
                                 tsl_specials_has(&x, ids[600 - len + i]));
            if (len % 64)
                assert_int_equal(set[len / 64] >> (len % 64), 0);
        }
        tsl_specials_fini(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ids_are_special_as_the_plain_list_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
