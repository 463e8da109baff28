#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "prep/bestfit.h"

enum { NDOCS = 400, BINS = 2000 };

static uint64_t rng = 1;

static uint32_t below(uint32_t n)
{
    rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((rng >> 32) * n >> 32);
}

/* Each document, longest first, into the first of the bins with the least room. */
static uint64_t slow_count(const uint32_t *lengths, uint32_t extra, uint32_t room)
{
    uint32_t rest[NDOCS], left[BINS];
    uint64_t n = 0, full = 0;
    for (uint32_t i = 0; i < NDOCS; i++) {
        uint32_t len = lengths[i] ? lengths[i] + extra : 0;
        full += len / room;
        rest[i] = len % room;
    }
    for (uint32_t i = 1; i < NDOCS; i++) /* insertion sort, stable */
        for (uint32_t j = i; j > 0 && rest[j] > rest[j - 1]; j--) {
            uint32_t t = rest[j];
            rest[j] = rest[j - 1];
            rest[j - 1] = t;
        }
    for (uint32_t i = 0; i < NDOCS && rest[i]; i++) {
        uint64_t best = n;
        for (uint64_t b = 0; b < n; b++)
            if (left[b] >= rest[i] && (best == n || left[b] < left[best]))
                best = b;
        if (best == n)
            left[n++] = room;
        left[best] -= rest[i];
    }
    return full + n;
}

static void
every_token_is_in_one_bin_and_bins_are_as_few_as_the_slow_way_has(void **state)
{
    (void)state;
    static const uint32_t rooms[] = { 1, 2, 7, 64, 100, 4097, 65536 };
    for (size_t r = 0; r < sizeof rooms / sizeof *rooms; r++) {
        for (uint32_t extra = 0; extra < 2; extra++) {
            struct tsl_err err = { 0 };
            struct tsl_bestfit *b;
            uint32_t lengths[NDOCS], got[NDOCS] = { 0 }, room = rooms[r];
            uint64_t sum = 0;
            for (uint32_t i = 0; i < NDOCS; i++) {
                lengths[i] = below(5) ? below(room + room / 4 + 2) : below(room * 3 + 1);
                if (room < 3 && lengths[i] > 3)
                    lengths[i] = 3;
                sum += lengths[i] ? lengths[i] + extra : 0;
            }
            assert_ok(tsl_bestfit_create(&b, lengths, NDOCS, extra, room, &err), &err);
            struct tsl_piece *pieces = malloc(room * sizeof *pieces);
            for (uint64_t i = 0; i < tsl_bestfit_count(b); i++) {
                size_t n = tsl_bestfit_bin(b, i, pieces);
                uint64_t used = 0;
                assert_true(n >= 1 && n <= room);
                for (size_t k = 0; k < n; k++) {
                    uint64_t d = pieces[k].doc;
                    used += pieces[k].len;
                    got[d] += pieces[k].len;
                    assert_true(pieces[k].len > 0);
                    assert_true(pieces[k].at + pieces[k].len <= lengths[d] + extra);
                    assert_true(pieces[k].at % room == 0);
                }
                assert_true(used <= room);
            }
            free(pieces);
            for (uint32_t i = 0; i < NDOCS; i++)
                assert_int_equal(got[i], lengths[i] ? lengths[i] + extra : 0);
            assert_int_equal(tsl_bestfit_waste(b), tsl_bestfit_count(b) * room - sum);
            assert_int_equal(tsl_bestfit_count(b), slow_count(lengths, extra, room));
            tsl_bestfit_destroy(b);
        }
    }
}

static void nothing_gives_no_bins(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_bestfit *b;
    uint32_t none = 0;
    assert_ok(tsl_bestfit_create(&b, &none, 0, 1, 8, &err), &err);
    assert_int_equal(tsl_bestfit_count(b), 0);
    tsl_bestfit_destroy(b);
    assert_ok(tsl_bestfit_create(&b, &none, 1, 1, 8, &err), &err);
    assert_int_equal(tsl_bestfit_count(b), 0);
    tsl_bestfit_destroy(b);
    assert_err(tsl_bestfit_create(&b, &none, 1, 1, 0, &err), TSL_EUSAGE, &err,
               "0 tokens");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_token_is_in_one_bin_and_bins_are_as_few_as_the_slow_way_has),
        TEST(nothing_gives_no_bins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
