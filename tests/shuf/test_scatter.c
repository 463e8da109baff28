#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "shuf/scatter.h"
#include "support/fault.h"
#include "support/gendata.h"

enum { CHUNK = 4096, LOG_N = 3, N = 1 << LOG_N };

static const char *const here[] = { "." };

static struct tsl_store *make_store(struct tsl_bucket *b, size_t chunks)
{
    struct tsl_store *s = NULL;
    struct tsl_err err = { 0 };
    struct tsl_blocklist *rank[N];
    struct tsl_store_opts o = { .bytes = chunks * CHUNK,
                                .chunk_bytes = CHUNK,
                                .nwriters = 1,
                                .dirs = here,
                                .ndirs = 1 };
    assert_ok(tsl_store_create(&s, &o, &err), &err);
    for (int i = 0; i < N; i++)
        rank[i] = &b[i].blocks;
    assert_ok(tsl_store_rank(s, rank, N, &err), &err);
    return s;
}

/* Row number i: its key, and its bytes in a buffer with slack. */
static uint64_t row(uint64_t i, uint8_t *p, uint32_t *len)
{
    struct gen g = { i };
    *len = (uint32_t)gen_below(&g, i % 50 ? 60 : 3000);
    memset(p, (int)i, 3100);
    return gen_u64(&g);
}

static void rows_go_where_their_keys_say(void **state)
{
    enum { ROWS = 4000 };
    static uint8_t p[3100];
    (void)state;
    for (unsigned bits = 0; bits <= 20; bits += 10)
        for (int threads = 1; threads <= 2; threads++) {
            struct tsl_bucket b[N] = { 0 };
            struct tsl_err err = { 0 };
            struct tsl_scatter s[2];
            struct tsl_store *store = make_store(b, 64);
            struct tsl_tally want[N] = { 0 };
            for (int t = 0; t < threads; t++)
                assert_ok(tsl_scatter_init(&s[t], store, CHUNK, b, LOG_N, bits, &err),
                          &err);
            for (uint64_t i = 0; i < ROWS; i++) {
                uint32_t len;
                uint64_t key = row(i, p, &len);
                size_t k = key >> (64 - LOG_N - bits) & (N - 1);
                struct tsl_u128 hash = tsl_hash_row(p, len, false);
                struct tsl_tally one = { 1, len, 0, 0, hash };
                assert_int_equal(tsl_scatter_bucket(&s[0], key), k);
                tsl_tally_add(&want[k], &one);
                assert_ok(tsl_scatter_row(&s[i % (unsigned)threads], key, i, p, len, hash,
                                          i % 2, &err),
                          &err);
            }
            for (int t = 0; t < threads; t++) {
                assert_ok(tsl_scatter_finish(&s[t], &err), &err);
                tsl_scatter_fini(&s[t]);
            }
            for (size_t k = 0; k < N; k++) {
                assert_true(b[k].tally.rows == want[k].rows &&
                            b[k].tally.bytes == want[k].bytes);
                assert_true(tsl_u128_equal(b[k].tally.sum, want[k].sum));
                uint64_t nrows = 0;
                for (size_t i = 0; i < b[k].blocks.n; i++) {
                    uint8_t *chunk;
                    struct tsl_rowreader r;
                    struct tsl_rowref ref = { 0 };
                    assert_ok(
                        tsl_store_load(store, &b[k].blocks, i, 1, &chunk, false, &err),
                        &err);
                    for (tsl_rowreader_begin(&r, chunk); tsl_rowreader_next(&r, &ref);
                         nrows++) {
                        uint32_t len;
                        uint64_t key = row(ref.addr, p, &len);
                        assert_int_equal(key >> (64 - LOG_N - bits) & (N - 1), k);
                        assert_int_equal(ref.len, len);
                        assert_memory_equal(chunk + ref.at, p, len);
                    }
                    tsl_store_give(store, chunk);
                }
                assert_int_equal(nrows, want[k].rows);
                tsl_store_drop(store, &b[k].blocks);
            }
            assert_int_equal(tsl_store_chunks_in_use(store), 0);
            tsl_store_destroy(store);
        }
}

static void one_bucket_takes_all(void **state)
{
    struct tsl_bucket b[N] = { 0 };
    struct tsl_err err = { 0 };
    struct tsl_scatter s;
    struct tsl_store *store = make_store(b, 64);
    (void)state;
    assert_ok(tsl_scatter_init(&s, store, CHUNK, b, 0, 0, &err), &err);
    assert_int_equal(tsl_scatter_bucket(&s, UINT64_MAX), 0);
    assert_int_equal(tsl_scatter_bucket(&s, 0), 0);
    tsl_scatter_fini(&s);
    tsl_store_destroy(store);
}

static void rows_stored_elsewhere_are_told_apart(void **state)
{
    struct tsl_bucket b[N] = { 0 };
    struct tsl_err err = { 0 };
    struct tsl_scatter s;
    struct tsl_store *store = make_store(b, 64);
    struct tsl_rowreader r;
    struct tsl_rowref ref = { 0 };
    uint8_t *chunk;
    uint64_t id;
    (void)state;
    assert_ok(tsl_scatter_init(&s, store, CHUNK, b, LOG_N, 0, &err), &err);
    for (uint64_t i = 0; i < 100; i++)
        assert_ok(tsl_scatter_ref(&s, 0, i * 1000, i + 7, 1 << 20,
                                  (struct tsl_u128){ i, 0 }, &err),
                  &err);
    assert_ok(tsl_scatter_finish(&s, &err), &err);
    tsl_scatter_fini(&s);
    assert_true(b[0].tally.rows == 100 && b[0].tally.refs == 100);
    assert_true(b[0].tally.bytes == 100 << 20 && b[0].tally.ref_bytes == 100 << 20);
    assert_true(b[0].tally.sum.lo == 99 * 50);
    assert_int_equal(b[0].blocks.n, 1);
    assert_ok(tsl_store_load(store, &b[0].blocks, 0, 1, &chunk, false, &err), &err);
    tsl_rowreader_begin(&r, chunk);
    for (uint64_t i = 0; i < 100; i++) {
        assert_true(tsl_rowreader_next(&r, &ref));
        assert_true(ref.ref && ref.addr == i * 1000);
        memcpy(&id, chunk + ref.at, sizeof id);
        assert_int_equal(id, i + 7);
    }
    tsl_store_give(store, chunk);
    tsl_store_drop(store, &b[0].blocks);
    tsl_store_destroy(store);
}

static void any_failure_is_told_and_chunks_come_back(void **state)
{
    static uint8_t p[3100];
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_bucket b[N] = { 0 };
        struct tsl_err err = { 0 };
        struct tsl_scatter s;
        struct tsl_store *store = make_store(b, 20);
        fault_arm(nth, "calloc realloc pwritev open fstat pthread_create");
        int rc = tsl_scatter_init(&s, store, CHUNK, b, LOG_N, 0, &err);
        bool begun = rc == 0;
        for (uint64_t i = 0; i < 2000 && rc == 0; i++) {
            uint32_t len;
            uint64_t key = row(i, p, &len);
            rc = tsl_scatter_row(&s, key, i, p, len, tsl_hash_row(p, len, false), true,
                                 &err);
        }
        if (rc == 0)
            rc = tsl_scatter_finish(&s, &err);
        if (begun)
            tsl_scatter_fini(&s);
        const char *call = fault_disarm();
        for (int i = 0; i < N; i++)
            tsl_store_drop(store, &b[i].blocks);
        if (rc == 0)
            assert_int_equal(tsl_store_chunks_in_use(store), 0);
        tsl_store_destroy(store);
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        assert_true(rc < 0 ? err.code != 0 : true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_go_where_their_keys_say),
        TEST(one_bucket_takes_all),
        TEST(rows_stored_elsewhere_are_told_apart),
        TEST(any_failure_is_told_and_chunks_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
