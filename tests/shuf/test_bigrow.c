#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shuf/bigrow.h"
#include "shuf/rowblock.h"
#include "support/fault.h"
#include "support/gendata.h"

enum { CHUNK = 4096, CHUNKS = 16, ROOM = CHUNK - TSL_BLOCK_HEAD };

static const char *const here[] = { "." };

static struct tsl_store *make_store(struct tsl_bigrows *b, size_t nparts)
{
    struct tsl_store *s = NULL;
    struct tsl_err err = { 0 };
    struct tsl_store_opts o = { .bytes = CHUNKS * CHUNK,
                                .chunk_bytes = CHUNK,
                                .nwriters = 1,
                                .dirs = here,
                                .ndirs = 1 };
    struct tsl_blocklist *rank[1] = { &b->list };
    assert_ok(tsl_store_create(&s, &o, &err), &err);
    tsl_bigrows_init(b, s, CHUNK, nparts);
    assert_ok(tsl_store_rank(s, rank, 1, &err), &err);
    return s;
}

/* Adds p[0, n) in pieces of any size. */
static int add(struct tsl_bigrows *b, struct gen *g, const uint8_t *p, size_t n,
               struct tsl_err *err)
{
    int rc = 0;
    while (n > 0 && rc == 0) {
        size_t k = 1 + gen_below(g, 3000);
        k = k < n ? k : n;
        rc = tsl_bigrows_add(b, p, k, err);
        p += k;
        n -= k;
    }
    return rc;
}

struct parts {
    struct rowlist part[4];
    size_t now;
    bool backwards;
    int fail_after;
};

static int take(void *ctx, size_t part, const uint8_t *p, size_t n, struct tsl_err *err)
{
    struct parts *x = ctx;
    if (x->fail_after && --x->fail_after == 0)
        return tsl_err_set(err, TSL_EIO, "the sink is full");
    x->backwards |= part < x->now;
    x->now = part;
    rowlist_bytes(&x->part[part], p, n);
    return 0;
}

static void parts_free(struct parts *x)
{
    for (int i = 0; i < 4; i++)
        rowlist_free(&x->part[i]);
    *x = (struct parts){ 0 };
}

static void rows_come_back_as_they_went_in(void **state)
{
    static const size_t sizes[] = { 0,        1,        ROOM - 1, ROOM,
                                    ROOM + 1, 2 * ROOM, 100000,   300000 };
    enum { N = sizeof sizes / sizeof *sizes };
    static uint8_t data[N][300000];
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        struct tsl_bigrows b;
        struct tsl_err err = { 0 };
        struct gen g = { 1 };
        struct tsl_store *s = make_store(&b, 1);
        for (uint64_t i = 0; i < N; i++) {
            uint64_t id = 99;
            struct tsl_bigrow row;
            gen_bytes(&g, data[i], sizes[i]);
            assert_ok(tsl_bigrows_begin(&b, &err), &err);
            assert_ok(add(&b, &g, data[i], sizes[i], &err), &err);
            assert_ok(tsl_bigrows_end(&b, &id, &row, &err), &err);
            assert_int_equal(id, i);
            assert_int_equal(row.len, sizes[i]);
            assert_null(row.part_len);
            assert_true(tsl_u128_equal(row.hash, tsl_hash128(data[i], sizes[i])));
            assert_true(tsl_u128_equal(row.part_hash, row.hash));
        }
        for (int round = 0; round < 1 + 2 * keep;
             round++) /* those kept: as often as you like */
            for (uint64_t k = 0; k < N; k++) {
                struct parts got = { 0 };
                uint64_t i = (k * 5 + 3) % N;
                assert_int_equal(tsl_bigrows_get(&b, i).len, sizes[i]);
                assert_ok(tsl_bigrows_stream(&b, i, keep, take, &got, &err), &err);
                assert_int_equal(got.part[0].len, sizes[i]);
                if (sizes[i])
                    assert_memory_equal(got.part[0].bytes, data[i], sizes[i]);
                parts_free(&got);
            }
        tsl_bigrows_fini(&b);
        assert_int_equal(tsl_store_chunks_in_use(s), 0);
        tsl_store_destroy(s);
    }
}

static void parts_come_back_one_after_the_other(void **state)
{
    static const size_t sizes[][3] = { { 5000, 0, 1 },    { 0, 0, 9000 },
                                       { ROOM, ROOM, 0 }, { 1, 1, 1 },
                                       { 0, 20000, 0 },   { 0, 0, 0 },
                                       { 7, 0, 0 },       { 12345, 23456, 999 } };
    static uint8_t data[3][30000];
    struct gen g = { 2 };
    struct tsl_bigrows b;
    struct tsl_err err = { 0 };
    struct tsl_store *s = make_store(&b, 3);
    (void)state;
    for (int p = 0; p < 3; p++)
        gen_bytes(&g, data[p], sizeof data[p]);
    for (uint64_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t id;
        struct tsl_bigrow row;
        assert_ok(tsl_bigrows_begin(&b, &err), &err);
        for (int p = 0; p < 3; p++) {
            if (p)
                tsl_bigrows_next_part(&b);
            assert_ok(add(&b, &g, data[p], sizes[i][p], &err), &err);
        }
        assert_ok(tsl_bigrows_end(&b, &id, &row, &err), &err);
        assert_int_equal(row.len, sizes[i][0] + sizes[i][1] + sizes[i][2]);
        assert_true(tsl_u128_equal(row.part_hash, tsl_hash128(data[0], sizes[i][0])));
        for (int p = 0; p < 3; p++)
            assert_int_equal(row.part_len[p], sizes[i][p]);
        struct parts got = { 0 };
        assert_ok(tsl_bigrows_stream(&b, id, false, take, &got, &err), &err);
        assert_false(got.backwards);
        for (int p = 0; p < 3; p++) {
            assert_int_equal(got.part[p].len, sizes[i][p]);
            if (sizes[i][p])
                assert_memory_equal(got.part[p].bytes, data[p], sizes[i][p]);
        }
        parts_free(&got);
    }
    tsl_bigrows_fini(&b);
    tsl_store_destroy(s);
}

static void an_abandoned_row_leaves_the_others(void **state)
{
    static uint8_t data[20000];
    struct gen g = { 3 };
    struct tsl_bigrows b;
    struct tsl_err err = { 0 };
    struct tsl_store *s = make_store(&b, 1);
    struct parts got = { 0 };
    struct tsl_bigrow row;
    uint64_t id;
    (void)state;
    gen_bytes(&g, data, sizeof data);
    assert_ok(tsl_bigrows_begin(&b, &err), &err);
    assert_ok(add(&b, &g, data, 10000, &err), &err);
    tsl_bigrows_abandon(&b);
    assert_ok(tsl_bigrows_begin(&b, &err), &err); /* the lock is free again */
    assert_ok(add(&b, &g, data, 20000, &err), &err);
    assert_ok(tsl_bigrows_end(&b, &id, &row, &err), &err);
    assert_int_equal(id, 0);
    assert_ok(tsl_bigrows_stream(&b, id, false, take, &got, &err), &err);
    assert_int_equal(got.part[0].len, 20000);
    assert_memory_equal(got.part[0].bytes, data, 20000);
    parts_free(&got);
    tsl_bigrows_fini(&b);
    assert_int_equal(tsl_store_chunks_in_use(s), 0);
    tsl_store_destroy(s);
}

static void a_sink_that_fails_ends_it(void **state)
{
    static uint8_t data[50000];
    struct tsl_bigrows b;
    struct tsl_err err = { 0 };
    struct gen g = { 4 };
    struct tsl_store *s = make_store(&b, 1);
    struct tsl_bigrow row;
    uint64_t id;
    (void)state;
    assert_ok(tsl_bigrows_begin(&b, &err), &err);
    assert_ok(add(&b, &g, data, sizeof data, &err), &err);
    assert_ok(tsl_bigrows_end(&b, &id, &row, &err), &err);
    for (int keep = 1; keep >= 0; keep--) {
        struct parts got = { .fail_after = 3 };
        assert_err(tsl_bigrows_stream(&b, id, keep, take, &got, &err), TSL_EIO, &err,
                   "the sink is full");
        parts_free(&got);
    }
    tsl_bigrows_fini(&b);
    assert_int_equal(tsl_store_chunks_in_use(s), 0);
    tsl_store_destroy(s);
}

static void a_row_altered_on_its_way_is_noticed(void **state)
{
    static uint8_t data[3 * ROOM];
    struct tsl_bigrows b;
    struct tsl_err err = { 0 };
    struct gen g = { 5 };
    struct tsl_store *s = make_store(&b, 1);
    struct tsl_bigrow row;
    struct parts got = { 0 };
    uint64_t id;
    (void)state;
    assert_ok(tsl_bigrows_begin(&b, &err), &err);
    assert_ok(add(&b, &g, data, sizeof data, &err), &err);
    assert_ok(tsl_bigrows_end(&b, &id, &row, &err), &err);
    /* a block in memory has no checksum of its own: the row's does it */
    const uint8_t *p;
    assert_ok(tsl_store_peek(s, &b.list, 1, NULL, &p, &err), &err);
    ((uint8_t *)(uintptr_t)p)[1000] ^= 1;
    assert_err(tsl_bigrows_stream(&b, id, false, take, &got, &err), TSL_EVERIFY, &err,
               "came back from temporary space altered");
    parts_free(&got);
    tsl_bigrows_fini(&b);
    tsl_store_destroy(s);
}

/* The n bytes at p, a row of the open file f, which may stay there from 4096 on. */
static void leave_in_file(struct tsl_bigrows *b, const struct tsl_file *f,
                          const uint8_t *p, size_t n)
{
    struct tsl_err err = { 0 };
    struct tsl_place place = { .file = f, .number = 3, .at = 0 };
    struct gen g = { 7 };
    struct tsl_bigrow row;
    uint64_t id;
    b->store_max = 4096;
    assert_ok(tsl_bigrows_begin(b, &err), &err);
    tsl_bigrows_lies(b, &place);
    assert_ok(add(b, &g, p, n, &err), &err);
    assert_ok(tsl_bigrows_end(b, &id, &row, &err), &err);
}

enum { MANY = 1500000 };

static void the_rest_of_a_long_row_stays_in_its_file(void **state)
{
    static uint8_t data[MANY];
    (void)state;
    for (int keep = 0; keep < 2; keep++)
        /* one that is stored whole, ends with a block, or leaves a byte, or more */
        for (size_t n = MANY - 300000; n <= MANY; n += 149999) {
            struct tsl_bigrows b;
            struct tsl_err err = { 0 };
            struct tsl_file f;
            struct gen g = { n };
            struct tsl_store *s = make_store(&b, 1);
            struct parts got = { 0 };
            gen_bytes(&g, data, n);
            file_put("long", data, n);
            assert_ok(tsl_file_open(&f, "long", &err), &err);
            leave_in_file(&b, &f, data, n);
            tsl_file_close(&f, NULL); /* held open by itself */
            assert_int_equal(unlink("long"), 0);
            assert_int_equal(b.list.n, ((1 << 20) + ROOM - 1) / ROOM);
            for (int round = 0; round <= keep; round++) {
                assert_ok(tsl_bigrows_stream(&b, 0, keep, take, &got, &err), &err);
                assert_int_equal(got.part[0].len, n);
                assert_memory_equal(got.part[0].bytes, data, n);
                parts_free(&got);
            }
            tsl_bigrows_fini(&b);
            assert_int_equal(tsl_store_chunks_in_use(s), 0);
            tsl_store_destroy(s);
        }
}

static void a_file_changed_under_its_rows_is_noticed(void **state)
{
    static uint8_t data[MANY];
    (void)state;
    for (int how = 0; how < 2; how++) {
        struct tsl_bigrows b;
        struct tsl_err err = { 0 };
        struct tsl_file f;
        struct gen g = { 8 };
        struct tsl_store *s = make_store(&b, 1);
        struct parts got = { 0 };
        gen_bytes(&g, data, MANY);
        file_put("long", data, MANY);
        assert_ok(tsl_file_open(&f, "long", &err), &err);
        leave_in_file(&b, &f, data, MANY);
        tsl_file_close(&f, NULL);
        int fd = open("long", O_WRONLY);
        assert_true(fd >= 0);
        data[MANY - 1000] ^= 4;
        if (how == 0)
            assert_int_equal(pwrite(fd, data + MANY - 1000, 1, MANY - 1000), 1);
        else
            assert_int_equal(ftruncate(fd, MANY - 5), 0);
        (void)close(fd);
        int rc = tsl_bigrows_stream(&b, 0, false, take, &got, &err);
        if (how == 0)
            assert_err(
                rc, TSL_EVERIFY, &err,
                "long: the row of 1500000 bytes at byte 0 was changed while it was "
                "shuffled");
        else
            assert_err(rc, TSL_EIO, &err, "long: ended early");
        parts_free(&got);
        tsl_bigrows_fini(&b);
        assert_int_equal(tsl_store_chunks_in_use(s), 0);
        tsl_store_destroy(s);
    }
}

static void any_failure_is_told_and_the_lock_is_free(void **state)
{
    static uint8_t data[100000];
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_bigrows b;
        struct tsl_err err = { 0 };
        struct gen g = { 6 };
        struct tsl_store *s = make_store(&b, 2);
        struct tsl_bigrow row;
        struct parts got = { 0 };
        uint64_t id;
        bool used = false;
        fault_arm(nth, "calloc realloc mmap pthread_create open fstat pwritev");
        int rc = tsl_bigrows_begin(&b, &err);
        if (rc == 0) {
            rc = add(&b, &g, data, sizeof data, &err);
            if (rc == 0)
                rc = tsl_bigrows_end(&b, &id, &row, &err);
            else
                tsl_bigrows_abandon(&b);
        }
        const char *call = fault_disarm();
        if (rc == 0) {
            used = true;
            rc = tsl_bigrows_stream(&b, id, false, take, &got, &err);
        }
        if (rc < 0)
            assert_true(err.code != 0);
        struct tsl_err none = { 0 };
        if (tsl_bigrows_begin(&b, &none) == 0)
            tsl_bigrows_abandon(&b);
        parts_free(&got);
        tsl_bigrows_fini(&b);
        tsl_store_destroy(s);
        if (!call) {
            assert_ok(rc, &err);
            assert_true(used && nth > 5);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_come_back_as_they_went_in),
        TEST(parts_come_back_one_after_the_other),
        TEST(an_abandoned_row_leaves_the_others),
        TEST(a_sink_that_fails_ends_it),
        TEST(a_row_altered_on_its_way_is_noticed),
        TEST(the_rest_of_a_long_row_stays_in_its_file),
        TEST(a_file_changed_under_its_rows_is_noticed),
        TEST(any_failure_is_told_and_the_lock_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
