#include "support/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/endian.h"
#include "record/rec_native.h"
#include "support/fault.h"
#include "support/recdata.h"
#include "support/recmend.h"

static const struct tsl_recreader_opts plain = { .memory = 0 };

static void head_of(struct tsl_rechead *h, uint64_t seed)
{
    *h = (struct tsl_rechead){ .first = seed % 3 ? 1000 * seed : 0 };
    recdata_schema(&h->schema, seed);
}

/* Record i of seed: mostly small, seldom of several blocks. */
static void record_of(struct recdata *r, const struct tsl_schema *s, uint64_t seed,
                      uint64_t i)
{
    uint64_t key = seed << 32 | i;
    recdata_record(r, s, key, key % 41 == 7 ? 30000 : 1 + key % 50);
}

static int write_records(const char *path, uint64_t seed, uint64_t n, int level,
                         struct tsl_err *err)
{
    struct tsl_rechead head;
    struct tsl_recnative_writer *w = NULL;
    struct tsl_sink sink;
    struct tsl_sink_opts so = { .nthreads = 1 };
    struct tsl_recnative_opts o = { level, seed % 2 ? 1 : 0 };
    head_of(&head, seed);
    int rc = tsl_sink_open(&sink, path, false, &so, err);
    if (rc < 0)
        return rc;
    rc = tsl_recnative_writer_create(&w, &sink, &head, &o, err);
    for (uint64_t i = 0; rc == 0 && i < n; i++) {
        struct recdata r;
        record_of(&r, &head.schema, seed, i);
        rc = tsl_recnative_writer_put(w, r.values, err);
        recdata_free(&r);
    }
    if (rc == 0)
        rc = tsl_recnative_writer_finish(w, err);
    if (rc == 0) {
        struct tsl_recnative_counts counts;
        tsl_recnative_writer_counts(w, &counts);
        rc = counts.nrecords == n ? 0 : -100;
    }
    if (rc == 0)
        rc = tsl_sink_done(&sink, err);
    if (rc == 0)
        rc = tsl_sink_commit(&sink, err);
    tsl_recnative_writer_destroy(w);
    tsl_sink_close(&sink);
    return rc;
}

static void is_record(const struct tsl_record *rec, const struct tsl_rechead *head,
                      uint64_t seed, uint64_t i)
{
    struct recdata r;
    record_of(&r, &head->schema, seed, i);
    assert_int_equal(rec->number, head->first + i);
    assert_true(recdata_equal(&head->schema, rec->values, r.values));
    recdata_free(&r);
}

static void read_all(const char *path, uint64_t seed, uint64_t n)
{
    struct tsl_err err = { 0 };
    struct tsl_recnative_reader *r;
    struct tsl_record rec;
    assert_ok(tsl_recnative_reader_open(&r, path, &plain, &err), &err);
    for (uint64_t i = 0; i < n; i++) {
        assert_int_equal(tsl_recnative_reader_next(r, &rec, &err), 1);
        is_record(&rec, tsl_recnative_reader_head(r), seed, i);
    }
    assert_ok(tsl_recnative_reader_next(r, &rec, &err), &err);
    assert_int_equal(tsl_recnative_reader_next(r, &rec, &err), 0);
    tsl_recnative_reader_destroy(r);
}

static void records_of_any_schema_come_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct tsl_err err = { 0 };
        uint64_t n = seed % 10 == 9 ? 0 : seed % 10 == 8 ? 1 : 30 * (seed % 5 + 1);
        assert_ok(write_records("x", seed, n, seed % 4 == 3, &err), &err);
        read_all("x", seed, n);
    }
}

static void any_record_is_picked_by_number(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 24; seed++) {
        struct tsl_err err = { 0 };
        struct tsl_recnative_reader *r;
        struct tsl_recnative_counts counts;
        struct tsl_record rec;
        struct gen g = { seed };
        enum { N = 100 };
        struct tsl_recreader_opts o = { .memory = seed % 3 ? 4 << 20 : 0 };
        assert_ok(write_records("x", seed, N, seed % 4 == 3, &err), &err);
        assert_ok(tsl_recnative_reader_open(&r, "x", &o, &err), &err);
        const struct tsl_rechead *head = tsl_recnative_reader_head(r);
        if (seed % 2)
            assert_int_equal(tsl_recnative_reader_next(r, &rec, &err), 1);
        assert_ok(tsl_recnative_reader_count(r, &counts, &err), &err);
        assert_int_equal(counts.nrecords, N);
        for (int k = 0; k < 150; k++) {
            uint64_t i = gen_below(&g, N), more = gen_below(&g, 3);
            assert_ok(tsl_recnative_reader_at(r, i, &rec, &err), &err);
            is_record(&rec, head, seed, i);
            while (more--) {
                bool is = tsl_recnative_reader_next(r, &rec, &err);
                assert_int_equal(is, ++i < N);
                if (is)
                    is_record(&rec, head, seed, i);
                else
                    break;
            }
        }
        assert_err(tsl_recnative_reader_at(r, N, &rec, &err), TSL_EUSAGE, &err,
                   "but there are 100");
        tsl_recnative_reader_destroy(r);
    }
}

static int read_bytes(const uint8_t *p, size_t n, bool random, uint64_t *count,
                      struct tsl_err *err)
{
    struct tsl_recnative_reader *r;
    struct tsl_record rec;
    int rc = tsl_recnative_reader_of_memory(&r, "x", p, n, &plain, err);
    *count = 0;
    if (rc < 0)
        return rc;
    if (random)
        rc = tsl_recnative_reader_seek(r, 0, err);
    while (rc >= 0 && (rc = tsl_recnative_reader_next(r, &rec, err)) == 1)
        ++*count;
    tsl_recnative_reader_destroy(r);
    return rc;
}

static void every_changed_bit_is_seen(void **state)
{
    (void)state;
    for (int level = 0; level < 2; level++) {
        struct tsl_err err = { 0 };
        size_t n;
        uint64_t count;
        assert_ok(write_records("x", 5, 20, level, &err), &err);
        uint8_t *p = file_get("x", &n);
        assert_in_range(n, 500, 400000);
        size_t step = n > 6000 ? n / 6000 : 1; /* of a long middle a part is enough */
        for (size_t i = 0; i < n; i += i < 1000 || n - i < 1000 ? 1 : step)
            for (int bit = 0; bit < 8; bit++) {
                if (i % 7 && bit != (int)(i % 8))
                    continue;
                p[i] ^= (uint8_t)(1 << bit);
                int rc = read_bytes(p, n, false, &count, &err);
                if (rc != TSL_EFORMAT)
                    fail_msg("byte %zu bit %d: %d", i, bit, rc);
                err = (struct tsl_err){ 0 };
                rc = read_bytes(p, n, true, &count, &err);
                if (rc != TSL_EFORMAT)
                    fail_msg("byte %zu bit %d, by number: %d", i, bit, rc);
                err = (struct tsl_err){ 0 };
                p[i] ^= (uint8_t)(1 << bit);
            }
        assert_ok(read_bytes(p, n, true, &count, &err), &err);
        free(p);
    }
}

static void every_cut_is_seen(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    size_t n;
    uint64_t count, before = 0;
    assert_ok(write_records("x", 1, 200, 0, &err), &err);
    uint8_t *p = file_get("x", &n);
    size_t step = n > 20000 ? n / 20000 : 1;
    for (size_t i = 0; i < n; i += step) {
        int rc = read_bytes(p, i, false, &count, &err);
        assert_int_equal(rc, TSL_EFORMAT);
        assert_true(count >= before); /* whole blocks are lent before the end is met */
        before = count;
        if (count) {
            char told[80];
            snprintf(told, sizeof told, "x: input ended early after record %d",
                     (int)(1000 + count - 1));
            assert_string_equal(err.msg, told);
        }
        err = (struct tsl_err){ 0 };
        assert_true(read_bytes(p, i, true, &count, &err) < 0);
        err = (struct tsl_err){ 0 };
    }
    assert_int_equal(before, 200);
    uint8_t *more = malloc(n + 8);
    memcpy(more, p, n);
    memset(more + n, 0, 8);
    assert_err(read_bytes(more, n + 1, false, &count, &err), TSL_EFORMAT, &err,
               "more behind the end");
    assert_true(read_bytes(more, n + 8, true, &count, &err) < 0);
    free(more);
    free(p);
}

static void a_block_of_another_file_is_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    uint64_t count;
    size_t n, k;
    /* the same schema, as many bytes, other values: only the header's numbers differ */
    struct tsl_rechead head = { .first = 0 };
    assert_ok(tsl_schema_add(&head.schema, "a", TSL_U64, false, 0, NULL, NULL), NULL);
    for (int f = 0; f < 2; f++) {
        struct tsl_sink sink;
        struct tsl_sink_opts so = { .nthreads = 1 };
        struct tsl_recnative_opts o = { 0, 8192 };
        struct tsl_recnative_writer *w;
        assert_ok(tsl_sink_open(&sink, f ? "b" : "a", false, &so, &err), &err);
        assert_ok(tsl_recnative_writer_create(&w, &sink, &head, &o, &err), &err);
        for (uint64_t i = 0; i < 5000; i++) {
            uint64_t x = i + (uint64_t)f;
            struct tsl_value v = { &x, NULL, 1 };
            assert_ok(tsl_recnative_writer_put(w, &v, &err), &err);
        }
        assert_ok(tsl_recnative_writer_finish(w, &err), &err);
        assert_ok(tsl_sink_done(&sink, &err), &err);
        assert_ok(tsl_sink_commit(&sink, &err), &err);
        tsl_recnative_writer_destroy(w);
        tsl_sink_close(&sink);
    }
    uint8_t *a = file_get("a", &n), *b = file_get("b", &k);
    assert_int_equal(n, k);
    size_t at = 16 + tsl_load32(a + 8) + tsl_load32(a + 12);
    at = (at + 7) / 8 * 8 + 8;
    size_t block = 56 + tsl_load32(a + at + 28);
    memcpy(a + at + block, b + at + block, block);
    assert_int_equal(read_bytes(a, n, false, &count, &err), TSL_EFORMAT);
    assert_non_null(strstr(err.msg, "index"));
    err = (struct tsl_err){ 0 };
    assert_int_equal(read_bytes(a, n, true, &count, &err), TSL_EFORMAT);
    free(a);
    free(b);
}

static void what_was_cut_short_is_recovered(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct tsl_err err = { 0 };
        struct tsl_sink_opts so = { .nthreads = 1 };
        struct gen g = { seed };
        size_t n;
        assert_ok(write_records("x", seed, 150, seed % 4 == 3, &err), &err);
        uint8_t *p = file_get("x", &n);
        for (int k = 0; k < 6; k++) {
            struct tsl_recnative_recovered told;
            struct tsl_sink sink;
            size_t keep = k ? n - 1 - gen_below(&g, n - 1000) : n;
            if (k > 3) {
                p[keep] ^= 1;
                file_put("y", p, n);
                p[keep] ^= 1;
            } else {
                file_put("y", p, keep);
            }
            assert_ok(tsl_sink_open(&sink, "z", false, &so, &err), &err);
            assert_ok(tsl_recnative_recover("y", &sink, &told, &err), &err);
            assert_ok(tsl_sink_done(&sink, &err), &err);
            assert_ok(tsl_sink_commit(&sink, &err), &err);
            tsl_sink_close(&sink);
            assert_int_equal(told.whole, k == 0);
            assert_true(told.bytes_kept <= keep);
            assert_true(k == 0 || told.why.msg[0]);
            read_all("z", seed, told.nrecords);
            if (k == 0)
                assert_true(file_is("z", p, n));
        }
        free(p);
    }
}

static void a_record_larger_than_memory_is_told(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_rechead head = { .first = 7 };
    struct tsl_sink sink;
    struct tsl_sink_opts so = { .nthreads = 1 };
    struct tsl_recnative_opts o = { 0 };
    struct tsl_recnative_writer *w;
    struct tsl_recnative_reader *r;
    struct tsl_recnative_piece p;
    struct tsl_record rec;
    uint32_t len = 3000000;
    char *text = malloc(len);
    memset(text, 'x', len);
    struct tsl_value v = { text, &len, 1 };
    assert_ok(tsl_schema_add(&head.schema, "text", TSL_STR, false, 0, NULL, NULL), NULL);
    assert_ok(tsl_sink_open(&sink, "x", false, &so, &err), &err);
    assert_ok(tsl_recnative_writer_create(&w, &sink, &head, &o, &err), &err);
    assert_ok(tsl_recnative_writer_put(w, &v, &err), &err);
    assert_ok(tsl_recnative_writer_finish(w, &err), &err);
    assert_ok(tsl_sink_done(&sink, &err), &err);
    assert_ok(tsl_sink_commit(&sink, &err), &err);
    tsl_recnative_writer_destroy(w);
    tsl_sink_close(&sink);
    struct tsl_recreader_opts small = { .memory = 2000000 };
    assert_ok(tsl_recnative_reader_open(&r, "x", &small, &err), &err);
    assert_err(tsl_recnative_reader_next(r, &rec, &err), TSL_EFORMAT, &err,
               "record 7 takes more than 2000000 bytes");
    tsl_recnative_reader_destroy(r);
    assert_ok(tsl_recnative_reader_open(&r, "x", &small, &err), &err);
    uint64_t got = 0, pieces = 0;
    do {
        assert_int_equal(tsl_recnative_reader_piece(r, &p, &err), 1);
        assert_int_equal(p.first, pieces == 0);
        assert_int_equal(p.continues, !p.first);
        assert_int_equal(p.rec.number, 7);
        assert_int_equal(p.rec.values[0].n, 1);
        got += p.rec.values[0].lens[0];
        pieces++;
    } while (!p.last);
    assert_int_equal(got, len);
    assert_true(pieces > 10);
    assert_int_equal(tsl_recnative_reader_piece(r, &p, &err), 0);
    tsl_recnative_reader_destroy(r);
    free(text);
}

static void a_pipe_has_no_records_by_number(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_recnative_reader *r;
    struct tsl_recnative_counts n;
    struct tsl_record rec;
    assert_ok(write_records("x", 3, 30, 0, &err), &err);
    assert_int_equal(system("gzip -k x"), 0);
    assert_ok(tsl_recnative_reader_open(&r, "x.gz", &plain, &err), &err);
    assert_err(tsl_recnative_reader_count(r, &n, &err), TSL_EUSAGE, &err, "regular file");
    for (int i = 0; i < 30; i++)
        assert_int_equal(tsl_recnative_reader_next(r, &rec, &err), 1);
    assert_ok(tsl_recnative_reader_next(r, &rec, &err), &err);
    tsl_recnative_reader_destroy(r);
}

/* What a head or the payload says is changed, with all sums put right. */
static void lies_under_good_checksums_are_seen(void **state)
{
    (void)state;
    for (uint64_t seed = 20; seed < 24; seed++) {
        struct tsl_err err = { 0 };
        size_t n;
        uint64_t count;
        struct gen g = { seed };
        assert_ok(write_records("x", seed, 6, 0, &err), &err);
        uint8_t *good = file_get("x", &n), *p = malloc(n);
        memcpy(p, good, n);
        recmend(p, n);
        assert_memory_equal(p, good, n);
        size_t begin = (16 + tsl_load32(p + 8) + tsl_load32(p + 12) + 7U) / 8 * 8 + 8;
        for (int k = 0; k < 4000; k++) {
            memcpy(p, good, n);
            size_t at = k % 3 ? begin + gen_below(&g, 200) : n - 16 - gen_below(&g, 100);
            p[at] = gen_below(&g, 2) ? (uint8_t)gen_u64(&g) : p[at] ^ 1;
            recmend(p, n);
            /* values may be anything; all else is refused, and nothing is read outside */
            int rc = read_bytes(p, n, k % 2, &count, &err);
            assert_true(rc == 0 || rc == TSL_EFORMAT);
            err = (struct tsl_err){ 0 };
        }
        free(p);
        free(good);
    }
}

static void any_failure_is_told_and_leaves_no_file(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        fault_arm(nth, "calloc realloc mmap write fsync linkat");
        int rc = write_records("out", 7, 60, 1, &err);
        const char *call = fault_disarm();
        if (!call)
            break;
        assert_true(rc < 0 || fault_is_harmless(call));
        if (rc < 0)
            assert_true(folder_is_empty("."));
        else
            remove("out");
    }
    struct tsl_err err = { 0 };
    assert_ok(write_records("in", 7, 60, 1, &err), &err);
    for (int random = 0; random < 2; random++)
        for (unsigned nth = 1;; nth++) {
            struct tsl_recnative_reader *r = NULL;
            struct tsl_record rec;
            uint64_t n = 0;
            fault_arm(nth, "calloc realloc mmap read");
            int rc = tsl_recnative_reader_open(&r, "in", &plain, &err);
            if (rc == 0 && random)
                rc = tsl_recnative_reader_at(r, 10, &rec, &err);
            while (rc >= 0 && (rc = tsl_recnative_reader_next(r, &rec, &err)) == 1)
                n++;
            tsl_recnative_reader_destroy(r);
            const char *call = fault_disarm();
            if (!call)
                break;
            if (rc >= 0 || err.code != rc)
                fail_msg("%s %u: %d, %d %s", call, nth, rc, err.code, err.msg);
            err = (struct tsl_err){ 0 };
        }
}

static void bytes_do_not_depend_on_how_a_record_is_added(void **state)
{
    (void)state;
    struct tsl_rechead head = { .first = 0 };
    assert_ok(tsl_schema_add(&head.schema, "ids", TSL_U16, true, 0, NULL, NULL), NULL);
    assert_ok(tsl_schema_add(&head.schema, "starts", TSL_BIT, true, 0, NULL, NULL), NULL);
    for (int way = 0; way < 3; way++) {
        struct tsl_err err = { 0 };
        struct tsl_sink sink;
        struct tsl_sink_opts so = { .nthreads = 1 };
        struct tsl_recnative_opts o = { 0, 5000 };
        struct tsl_recnative_writer *w;
        struct gen g = { 99 }, cuts = { (uint64_t)way };
        const char *name = way ? "y" : "x";
        assert_ok(tsl_sink_open(&sink, name, false, &so, &err), &err);
        assert_ok(tsl_recnative_writer_create(&w, &sink, &head, &o, &err), &err);
        for (int i = 0; i < 200; i++) {
            static uint16_t ids[20000];
            static uint8_t starts[20000];
            size_t n = gen_below(&g, i % 20 == 3 ? 20000 : 300);
            for (size_t k = 0; k < n; k++) {
                ids[k] = (uint16_t)gen_u64(&g);
                starts[k] = ids[k] & 1;
            }
            assert_ok(tsl_recnative_writer_begin(w, &err), &err);
            for (size_t at = 0; at < n;) {
                uint64_t room = tsl_recnative_writer_room(w) / 17;
                size_t k = way == 0 ? n : 1 + gen_below(&cuts, way == 1 ? 3 : 5000);
                k = k < n - at ? k : n - at;
                k = k < room ? k : (size_t)room;
                struct tsl_value v[2] = { { ids + at, NULL, (uint32_t)k },
                                          { starts + at, NULL, (uint32_t)k } };
                if (k)
                    tsl_recnative_writer_add(w, v);
                else
                    assert_ok(tsl_recnative_writer_spill(w, &err), &err);
                at += k;
            }
            tsl_recnative_writer_end(w);
        }
        assert_ok(tsl_recnative_writer_finish(w, &err), &err);
        assert_ok(tsl_sink_done(&sink, &err), &err);
        assert_ok(tsl_sink_commit(&sink, &err), &err);
        tsl_recnative_writer_destroy(w);
        tsl_sink_close(&sink);
        if (way) {
            size_t n;
            uint8_t *x = file_get("x", &n);
            assert_true(file_is("y", x, n));
            free(x);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_of_any_schema_come_back),
        TEST(any_record_is_picked_by_number),
        TEST(every_changed_bit_is_seen),
        TEST(every_cut_is_seen),
        TEST(a_block_of_another_file_is_refused),
        TEST(what_was_cut_short_is_recovered),
        TEST(a_record_larger_than_memory_is_told),
        TEST(a_pipe_has_no_records_by_number),
        TEST(lies_under_good_checksums_are_seen),
        TEST(any_failure_is_told_and_leaves_no_file),
        TEST(bytes_do_not_depend_on_how_a_record_is_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
