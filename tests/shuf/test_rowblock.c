#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "shuf/rowblock.h"
#include "support/gendata.h"

/* Exactly as large as rowblock.h promises, so that a sanitizer sees one byte too many. */
static uint8_t *chunk_alloc(uint32_t bytes)
{
    uint8_t *p = malloc(bytes + TSL_BLOCK_SLACK);
    assert_non_null(p);
    memset(p, 0xcd, bytes + TSL_BLOCK_SLACK);
    return p;
}

static void check_rows(const uint8_t *chunk, const struct rowlist *want, const bool *refs)
{
    struct tsl_rowreader r;
    struct tsl_rowref row;
    size_t i = 0;
    for (tsl_rowreader_begin(&r, chunk); tsl_rowreader_next(&r, &row); i++) {
        assert_true(i < want->nrows);
        assert_true(row.addr == want->rows[i].addr);
        assert_int_equal(row.ref, refs && refs[i]);
        assert_int_equal(row.len, want->rows[i].len);
        if (row.len)
            assert_memory_equal(chunk + row.at, want->bytes + want->rows[i].at, row.len);
    }
    assert_int_equal(i, want->nrows);
}

enum order { ASCENDING, CLOSE, ANY, FALLING, SAME };

/* Fills chunks with rows until they are full, reads them back as they are and compacted.
 */
static void round_trip(uint32_t bytes, enum order order, size_t longest, uint64_t seed,
                       struct tsl_block_tune tune)
{
    struct gen g = { seed };
    uint8_t *chunk = chunk_alloc(bytes), *row = malloc(longest + 32);
    struct tsl_rowwriter w;
    struct rowlist want = { 0 };
    bool *refs = calloc(bytes, 1);
    uint64_t addr = order == ASCENDING ? 0 : gen_u64(&g) >> gen_below(&g, 60);
    tsl_rowwriter_begin(&w, chunk, bytes, addr, tune);
    for (;;) {
        size_t len = gen_below(&g, longest + 1);
        bool ref = gen_below(&g, 16) == 0;
        if (!tsl_rowwriter_fits(&w, ref ? 8 : len))
            break;
        if (ref) {
            uint64_t id = gen_u64(&g);
            refs[want.nrows] = true;
            rowlist_add(&want, addr, &id, sizeof id);
            tsl_rowwriter_put_ref(&w, addr, id);
        } else {
            gen_bytes(&g, row, len + 32);
            rowlist_add(&want, addr, row, len);
            tsl_rowwriter_put(&w, addr, row, (uint32_t)len, gen_below(&g, 2));
        }
        switch (order) {
        case ASCENDING: addr += len + 1; break;
        case CLOSE: addr += gen_below(&g, 100000) - 50000; break;
        case ANY: addr = gen_u64(&g); break;
        case FALLING: addr -= 1 + gen_below(&g, 1000); break;
        case SAME: break;
        }
    }
    tsl_rowwriter_end(&w, bytes);
    assert_null(w.chunk);
    for (int i = 0; i < TSL_BLOCK_SLACK; i++) /* nothing was written behind */
        assert_int_equal(chunk[bytes + (unsigned)i], 0xcd);
    check_rows(chunk, &want, refs);
    uint32_t n = tsl_block_compact(chunk);
    assert_true(n <= bytes);
    /* and it can be read wherever it is put, with nothing behind its end */
    uint8_t *moved = chunk_alloc(n);
    memcpy(moved, chunk, n);
    check_rows(moved, &want, refs);
    assert_int_equal(tsl_block_compact(moved), n); /* compact already */
    check_rows(moved, &want, refs);
    rowlist_free(&want);
    free(refs);
    free(moved);
    free(chunk);
    free(row);
}

static void rows_come_out_as_they_went_in(void **state)
{
    (void)state;
    for (uint32_t bytes = 4096; bytes <= 128 << 10; bytes *= 8)
        for (int order = ASCENDING; order <= SAME; order++)
            for (size_t longest = 0; longest < 2000; longest = longest * 5 + 3)
                for (uint64_t seed = 0; seed < 3; seed++)
                    round_trip(bytes, (enum order)order, longest, seed,
                               tsl_block_tune_for((double)longest / 2,
                                                  (double)longest / 4,
                                                  (double)longest * (double)(1 << seed)));
}

/* The tune only makes codes short: any row can be put under any. */
static void a_tune_that_does_not_fit_costs_only_space(void **state)
{
    static const struct tsl_block_tune tunes[] = {
        { 0, 0, 0 },    { UINT32_MAX, 0, 0 }, { 0, 39, 39 }, { UINT32_MAX, 39, 39 },
        { 100, 0, 39 }, { 100, 39, 0 },       { 1, 20, 7 },
    };
    (void)state;
    for (size_t t = 0; t < sizeof tunes / sizeof *tunes; t++)
        for (int order = ASCENDING; order <= SAME; order++)
            for (size_t longest = 0; longest < 2000; longest = longest * 9 + 7)
                round_trip(16384, (enum order)order, longest, t, tunes[t]);
}

static void the_longest_row_fits_an_empty_chunk_exactly(void **state)
{
    (void)state;
    for (uint32_t bytes = 4096; bytes <= 128 << 10; bytes *= 2)
        for (int odd = 0; odd < 2; odd++) { /* an address and a length that escape */
            size_t most = tsl_rowwriter_max(bytes);
            struct tsl_block_tune tune = { 0, 0, 0 };
            uint8_t *chunk = chunk_alloc(bytes), *row = malloc(most);
            struct tsl_rowwriter w;
            struct rowlist want = { 0 };
            struct gen g = { bytes };
            uint64_t addr = odd ? UINT64_MAX - 5 : 0;
            gen_bytes(&g, row, most);
            tsl_rowwriter_begin(&w, chunk, bytes, 5, tune);
            assert_true(tsl_rowwriter_fits(&w, most));
            assert_false(tsl_rowwriter_fits(&w, most + 1));
            tsl_rowwriter_put(&w, addr, row, (uint32_t)most, false);
            assert_false(tsl_rowwriter_fits(&w, most));
            tsl_rowwriter_end(&w, bytes);
            rowlist_add(&want, addr, row, most);
            check_rows(chunk, &want, NULL);
            assert_true(tsl_block_compact(chunk) <= bytes);
            check_rows(chunk, &want, NULL);
            rowlist_free(&want);
            free(chunk);
            free(row);
        }
}

/* Rows go in until fits says no: neither side may have run into the other, whatever the
 * last one was like. */
static void a_chunk_filled_to_the_last_byte_reads_back(void **state)
{
    (void)state;
    for (size_t len = 0; len < 64; len++)
        for (uint8_t shift = 0; shift < 40; shift += 13) {
            struct tsl_block_tune tune = { (uint32_t)len, shift, 0 };
            round_trip(4096, SAME, len, shift, tune);
            round_trip(4096, ANY, len, len, tune);
        }
}

static void an_empty_block_has_no_rows(void **state)
{
    uint8_t *chunk = chunk_alloc(4096);
    struct tsl_rowwriter w;
    (void)state;
    tsl_rowwriter_begin(&w, chunk, 4096, 77, tsl_block_tune_for(10, 1, 10));
    tsl_rowwriter_end(&w, 4096);
    check_rows(chunk, &(struct rowlist){ 0 }, NULL);
    assert_int_equal(tsl_block_compact(chunk), TSL_BLOCK_HEAD);
    check_rows(chunk, &(struct rowlist){ 0 }, NULL);
    free(chunk);
}

static void short_rows_in_order_cost_two_bytes_beside_their_own(void **state)
{
    enum { BYTES = 64 << 10, LEN = 10 };
    uint8_t *chunk = chunk_alloc(BYTES), row[LEN + 32] = { 0 };
    struct tsl_rowwriter w;
    uint64_t addr = 0, n = 0;
    struct gen g = { 1 };
    (void)state;
    tsl_rowwriter_begin(&w, chunk, BYTES, 0, tsl_block_tune_for(LEN, 0, 11 * 64));
    while (tsl_rowwriter_fits(&w, LEN)) {
        tsl_rowwriter_put(&w, addr, row, LEN, true);
        addr += 11 * (1 + gen_below(&g, 127)); /* one row in 64 comes to this bucket */
        n++;
    }
    tsl_rowwriter_end(&w, BYTES);
    assert_true(tsl_block_compact(chunk) <= TSL_BLOCK_HEAD + n * (LEN + 2));
    free(chunk);
}

static void plain_bytes_are_kept(void **state)
{
    enum { BYTES = 4096 };
    (void)state;
    for (uint32_t n = 0; n <= BYTES - TSL_BLOCK_HEAD; n += 61) {
        uint8_t *chunk = chunk_alloc(BYTES);
        struct tsl_block_head h;
        struct gen g = { n };
        gen_bytes(&g, chunk + TSL_BLOCK_HEAD, n);
        tsl_block_plain(chunk, n);
        uint32_t len = tsl_block_compact(chunk);
        assert_in_range(len, TSL_BLOCK_HEAD + n, TSL_BLOCK_HEAD + n + 7);
        memcpy(&h, chunk, sizeof h);
        assert_int_equal(h.row_bytes, n);
        assert_int_equal(h.nrows, 0);
        uint8_t want[BYTES];
        g = (struct gen){ n };
        gen_bytes(&g, want, n);
        if (n)
            assert_memory_equal(chunk + TSL_BLOCK_HEAD, want, n);
        free(chunk);
    }
}

static void zigzag_is_one_to_one(void **state)
{
    static const int64_t d[] = { 0, -1, 1, -2, 2, INT64_MAX, INT64_MIN, -1000000007 };
    (void)state;
    for (size_t i = 0; i < sizeof d / sizeof *d; i++)
        assert_true(tsl_unzigzag(tsl_zigzag((uint64_t)d[i])) == (uint64_t)d[i]);
    assert_true(tsl_zigzag(0) == 0 && tsl_zigzag((uint64_t)-1) == 1 &&
                tsl_zigzag(1) == 2);
}

static void a_tune_is_within_what_a_window_can_hold(void **state)
{
    static const double sizes[] = { 0, 0.1, 1, 64, 1e6, 1e12, 1e19 };
    (void)state;
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 7; j++) {
            struct tsl_block_tune t = tsl_block_tune_for(100, sizes[i], sizes[j]);
            assert_true(t.addr_shift < 40 && t.len_shift < 40);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_come_out_as_they_went_in),
        TEST(a_tune_that_does_not_fit_costs_only_space),
        TEST(the_longest_row_fits_an_empty_chunk_exactly),
        TEST(a_chunk_filled_to_the_last_byte_reads_back),
        TEST(an_empty_block_has_no_rows),
        TEST(short_rows_in_order_cost_two_bytes_beside_their_own),
        TEST(plain_bytes_are_kept),
        TEST(zigzag_is_one_to_one),
        TEST(a_tune_is_within_what_a_window_can_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
