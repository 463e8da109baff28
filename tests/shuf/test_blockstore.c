#include "support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "par/thread.h"
#include "shuf/blockstore.h"
#include "shuf/rowblock.h"
#include "support/fault.h"
#include "support/gendata.h"

enum { CHUNK = 16 << 10, CHUNKS = 32, LISTS = 4 };

static const char *const here[] = { "." };
static struct tsl_progress progress;

static struct tsl_store *make_store(size_t chunks, enum tsl_codec codec, bool measure)
{
    struct tsl_store *s = NULL;
    struct tsl_err err = { 0 };
    progress.temp_bytes = 0;
    struct tsl_store_opts o = { .bytes = chunks * CHUNK,
                                .chunk_bytes = CHUNK,
                                .nwriters = 2,
                                .dirs = here,
                                .ndirs = 1,
                                .compress = codec,
                                .level = 1,
                                .measure = measure,
                                .progress = &progress };
    assert_ok(tsl_store_create(&s, &o, &err), &err);
    return s;
}

/* Fills chunk with the rows of a number: every third block is not full. */
static void fill(uint8_t *chunk, uint64_t number)
{
    struct tsl_rowwriter w;
    struct gen g = { number };
    uint8_t row[200];
    size_t most = number % 3 ? SIZE_MAX : gen_below(&g, 40);
    tsl_rowwriter_begin(&w, chunk, CHUNK, number, tsl_block_tune_for(50, 50, 100));
    for (uint64_t addr = number; most-- > 0; addr += gen_below(&g, 200)) {
        size_t len = gen_below(&g, 100);
        memset(row, 'a' + (int)gen_below(&g, 20), sizeof row);
        if (!tsl_rowwriter_fits(&w, len))
            break;
        tsl_rowwriter_put(&w, addr, row, (uint32_t)len, true);
    }
    tsl_rowwriter_end(&w, CHUNK);
}

static bool holds(const uint8_t *chunk, uint64_t number)
{
    static uint8_t want[CHUNK + TSL_BLOCK_SLACK];
    struct tsl_rowreader a, b;
    struct tsl_rowref x, y;
    fill(want, number);
    tsl_rowreader_begin(&a, chunk);
    tsl_rowreader_begin(&b, want);
    while (tsl_rowreader_next(&b, &y))
        if (!tsl_rowreader_next(&a, &x) || x.addr != y.addr || x.len != y.len ||
            memcmp(chunk + x.at, want + y.at, x.len) != 0)
            return false;
    return !tsl_rowreader_next(&a, &x);
}

static int put(struct tsl_store *s, struct tsl_blocklist *l, uint64_t number,
               struct tsl_err *err)
{
    uint8_t *chunk = tsl_store_take(s, err);
    if (!chunk)
        return TSL_ENOMEM;
    fill(chunk, number);
    return tsl_store_put(s, l, chunk, err);
}

static void rank_all(struct tsl_store *s, struct tsl_blocklist *l, size_t n)
{
    struct tsl_blocklist *r[LISTS];
    struct tsl_err err = { 0 };
    for (size_t i = 0; i < n; i++)
        r[i] = &l[n - 1 - i];
    assert_ok(tsl_store_rank(s, r, n, &err), &err);
}

/* Loads all of l, so many blocks at a time: those of numbers first, first + LISTS... */
static void load_all(struct tsl_store *s, struct tsl_blocklist *l, uint64_t first,
                     size_t at_once, bool claimed)
{
    struct tsl_err err = { 0 };
    uint8_t *chunks[CHUNKS];
    for (size_t i = 0; i < l->n; i += at_once) {
        size_t n = l->n - i < at_once ? l->n - i : at_once;
        if (claimed)
            assert_ok(tsl_store_claim(s, tsl_blocklist_on_disk(s, l), &err), &err);
        assert_ok(tsl_store_load(s, l, i, n, chunks, claimed, &err), &err);
        for (size_t j = 0; j < n; j++, first += LISTS) {
            assert_true(holds(chunks[j], first));
            tsl_store_give(s, chunks[j]);
        }
    }
    tsl_store_drop(s, l);
}

static void blocks_survive_eviction(void **state)
{
    enum { BLOCKS = 80 };
    static const size_t at_once[] = { 1, 7, BLOCKS / LISTS };
    (void)state;
    for (int kind = 0; kind < 4; kind++)
        for (size_t k = 0; k < 4; k++) {
            struct tsl_err err = { 0 };
            struct tsl_store *s = make_store(CHUNKS, kind % 3, kind == 3);
            struct tsl_blocklist l[LISTS] = { 0 };
            rank_all(s, l, LISTS);
            for (uint64_t i = 0; i < BLOCKS; i++)
                assert_ok(put(s, &l[i % LISTS], i, &err), &err);
            assert_true(tsl_store_chunks_in_use(s) <= CHUNKS);
            assert_true(folder_is_empty("."));
            for (uint64_t i = 0; i < LISTS; i++) {
                /* what is loaded next stays where it is */
                rank_all(s, &l[i + 1], LISTS - 1 - i);
                load_all(s, &l[i], i, at_once[k < 3 ? k : 2], k == 3);
            }
            assert_int_equal(tsl_store_chunks_in_use(s), 0);
            assert_true(tsl_store_stats(s).blocks_spilled >= BLOCKS - CHUNKS);
            assert_true(tsl_store_stats(s).disk.now == 0);
            assert_true(progress.temp_bytes == 0);
            tsl_store_destroy(s);
        }
}

static void one_block_can_be_looked_at_and_stays(void **state)
{
    (void)state;
    for (int codec = TSL_CODEC_NONE; codec <= TSL_CODEC_ZSTD; codec++) {
        struct tsl_err err = { 0 };
        struct tsl_store *s = make_store(CHUNKS, (enum tsl_codec)codec, false);
        struct tsl_blocklist l = { 0 };
        uint8_t *scratch = aligned_alloc(4096, CHUNK + 4096);
        rank_all(s, &l, 1);
        for (uint64_t i = 0; i < 100; i++)
            assert_ok(put(s, &l, i, &err), &err);
        for (int round = 0; round < 2; round++)
            for (uint64_t i = 0; i < 100; i++) {
                const uint8_t *p;
                uint64_t k = i * 37 % 100;
                assert_ok(tsl_store_peek(s, &l, k, scratch, &p, &err), &err);
                assert_true(holds(p, k));
            }
        tsl_store_drop(s, &l);
        tsl_store_destroy(s);
        free(scratch);
    }
}

static void what_is_not_ranked_stays_in_memory(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_store *s = make_store(CHUNKS, TSL_CODEC_NONE, false);
    struct tsl_blocklist l[2] = { 0 };
    (void)state;
    rank_all(s, l, 1); /* the first only */
    for (uint64_t i = 0; i < 100; i++)
        assert_ok(put(s, &l[i >= 8 ? 0 : 1], i, &err), &err);
    assert_int_equal(tsl_blocklist_on_disk(s, &l[1]), 0);
    assert_true(tsl_blocklist_on_disk(s, &l[0]) > 50);
    tsl_store_drop(s, &l[0]);
    tsl_store_drop(s, &l[1]);
    tsl_store_destroy(s);
}

static void lists_needed_last_go_to_disk_first(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_store *s = make_store(CHUNKS, TSL_CODEC_NONE, false);
    struct tsl_blocklist l[LISTS] = { 0 };
    (void)state;
    rank_all(s, l, LISTS);
    for (uint64_t i = 0; i < 48; i++)
        assert_ok(put(s, &l[i % LISTS], i, &err), &err);
    assert_int_equal(tsl_blocklist_on_disk(s, &l[0]), 0);
    assert_true(tsl_blocklist_on_disk(s, &l[LISTS - 1]) >= 8);
    for (int i = 0; i < LISTS; i++)
        tsl_store_drop(s, &l[i]);
    tsl_store_destroy(s);
}

/* Puts n blocks, of which those of even number are on disk. */
static struct tsl_store *half_on_disk(struct tsl_blocklist *l, size_t n,
                                      enum tsl_codec codec)
{
    struct tsl_err err = { 0 };
    struct tsl_store *s = make_store(CHUNKS, codec, false);
    rank_all(s, l, 1);
    for (uint64_t i = 0; i < n; i++)
        assert_ok(put(s, l, i, &err), &err);
    assert_true(tsl_blocklist_on_disk(s, l) >= n - CHUNKS);
    return s;
}

static void a_flipped_bit_on_disk_is_an_error(void **state)
{
    /* in the checksum, the header, the rows, and the last page */
    static const size_t places[] = { 0, 7, 8, 17, 60, 64, 100, 2000, 5000, 9000 };
    (void)state;
    for (int codec = TSL_CODEC_NONE; codec <= TSL_CODEC_ZSTD; codec++)
        for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
            struct tsl_err err = { 0 };
            struct tsl_blocklist l = { 0 };
            struct tsl_store *s = half_on_disk(&l, 64, (enum tsl_codec)codec);
            uint8_t *chunks[2];
            size_t used = tsl_store_chunks_in_use(s);
            /* compressed it is smaller */
            fault_flip(1, codec && places[k] > 2000 ? 300 : places[k]);
            int rc = tsl_store_load(s, &l, 1, 1, chunks, false, &err);
            fault_flip(0, 0);
            assert_err(rc, TSL_EIO, &err, "came back other than it was written");
            assert_null(chunks[0]);
            assert_true(tsl_store_chunks_in_use(s) <=
                        used); /* its chunk was given back */
            tsl_store_drop(s, &l);
            tsl_store_destroy(s);
        }
}

/* The descriptor of the first of the store's files, which have no names: there is none of
 * its size in the test otherwise. */
static int spill_descriptor(void)
{
    int found = -1;
    for (int fd = 3; fd < 200 && found < 0; fd++) {
        struct stat st;
        if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0 &&
            st.st_size > 2 * CHUNK)
            found = fd;
    }
    assert_true(found >= 0);
    return found;
}

static void blocks_that_changed_places_are_an_error(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_blocklist l = { 0 };
    struct tsl_store *s = half_on_disk(&l, 64, TSL_CODEC_NONE);
    uint8_t *a = aligned_alloc(4096, CHUNK), *b = aligned_alloc(4096, CHUNK), *chunks[2];
    (void)state;
    int fd = spill_descriptor();
    assert_int_equal(pread(fd, a, CHUNK, CHUNK), CHUNK);
    assert_int_equal(pread(fd, b, CHUNK, 2 * CHUNK), CHUNK);
    assert_int_equal(pwrite(fd, b, CHUNK, CHUNK), CHUNK);
    assert_int_equal(pwrite(fd, a, CHUNK, 2 * CHUNK), CHUNK);
    for (size_t i = 1; i <= 2; i++)
        assert_err(tsl_store_load(s, &l, i, 1, chunks, false, &err), TSL_EIO, &err,
                   "temporary block");
    tsl_store_drop(s, &l);
    tsl_store_destroy(s);
    free(a);
    free(b);
}

static void a_disk_that_cannot_be_read_is_told(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_blocklist l = { 0 };
    struct tsl_store *s = half_on_disk(&l, 64, TSL_CODEC_NONE);
    uint8_t *chunks[8];
    (void)state;
    fault_arm(1, "preadv");
    int rc = tsl_store_load(s, &l, 0, 8, chunks, false, &err);
    assert_non_null(fault_disarm());
    assert_err(rc, TSL_EIO, &err, ".: cannot read temporary data");
    tsl_store_drop(s, &l);
    tsl_store_destroy(s);
}

static void a_full_disk_is_told_to_whoever_needs_a_chunk(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_blocklist l = { 0 };
    struct tsl_store *s = make_store(CHUNKS, TSL_CODEC_NONE, false);
    int rc = 0;
    (void)state;
    rank_all(s, &l, 1);
    fault_disk_is(ENOSPC);
    for (uint64_t i = 0; i < 200 && rc == 0; i++)
        rc = put(s, &l, i, &err);
    fault_disk_is(0);
    assert_true(rc < 0);
    assert_err(err.code, TSL_EIO, &err, "No space left on device");
    assert_null(tsl_store_take(s, &err)); /* and from now on */
    assert_err(err.code, TSL_EIO, &err, "No space left on device");
    tsl_store_drop(s, &l);
    tsl_store_destroy(s);
}

struct taker {
    struct tsl_store *store;
    uint8_t *chunk;
    struct tsl_err err;
    int what;
};

static void wait_for_a_chunk(void *arg)
{
    struct taker *t = arg;
    if (t->what == 0)
        t->chunk = tsl_store_take(t->store, &t->err);
    else
        tsl_store_claim(t->store, 2, &t->err);
}

static void cancel_wakes_whoever_waits(void **state)
{
    (void)state;
    for (int what = 0; what < 2; what++) {
        struct tsl_err err = { 0 };
        struct tsl_store *s = make_store(CHUNKS, TSL_CODEC_NONE, false);
        struct taker t = { .store = s, .what = what };
        struct tsl_thread thread = { 0 };
        uint8_t *mine[CHUNKS];
        for (int i = 0; i < CHUNKS; i++) {
            mine[i] = tsl_store_take(s, &err);
            assert_non_null(mine[i]);
        }
        assert_ok(tsl_thread_start(&thread, wait_for_a_chunk, &t, &err), &err);
        usleep(20000);
        tsl_store_cancel(s);
        tsl_thread_join(&thread);
        assert_null(t.chunk);
        assert_err(t.err.code, TSL_ECANCELLED, &t.err, "stopped");
        assert_null(tsl_store_take(s, &err)); /* for ever */
        for (int i = 0; i < CHUNKS; i++)
            tsl_store_give(s, mine[i]);
        tsl_store_destroy(s);
    }
}

static void a_chunk_given_back_wakes_whoever_waits(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_store *s = make_store(CHUNKS, TSL_CODEC_NONE, false);
    struct taker t = { .store = s };
    struct tsl_thread thread = { 0 };
    uint8_t *mine[CHUNKS];
    (void)state;
    for (int i = 0; i < CHUNKS; i++)
        mine[i] = tsl_store_take(s, &err);
    assert_ok(tsl_thread_start(&thread, wait_for_a_chunk, &t, &err), &err);
    usleep(10000);
    tsl_store_give(s, mine[7]);
    tsl_thread_join(&thread);
    assert_ptr_equal(t.chunk, mine[7]);
    for (int i = 0; i < CHUNKS; i++)
        tsl_store_give(s, mine[i]);
    assert_int_equal(tsl_store_chunks_in_use(s), 0);
    tsl_store_destroy(s);
}

static void memory_set_aside_is_taken_from_the_blocks(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_store *s = make_store(CHUNKS, TSL_CODEC_NONE, false);
    struct tsl_blocklist l = { 0 };
    (void)state;
    rank_all(s, &l, 1);
    for (uint64_t i = 0; i < 28; i++)
        assert_ok(put(s, &l, i, &err), &err);
    assert_int_equal(tsl_store_chunks(s), CHUNKS);
    assert_ok(tsl_store_set_aside(s, 20 * CHUNK, &err), &err);
    assert_int_equal(tsl_store_chunks(s), CHUNKS - 20);
    assert_true(tsl_store_chunks_in_use(s) <= CHUNKS - 20);
    assert_ok(tsl_store_set_aside(s, -20 * CHUNK, &err), &err);
    assert_int_equal(tsl_store_chunks(s), CHUNKS);
    assert_err(tsl_store_set_aside(s, CHUNKS * CHUNK, &err), TSL_ENOMEM, &err,
               "too small");
    assert_ok(tsl_store_set_aside(s, -CHUNKS * CHUNK, &err), &err);
    assert_err(tsl_store_claim(s, CHUNKS + 1, &err), TSL_ENOMEM, &err, "too small");
    for (uint64_t i = 0; i < 28; i++) {
        uint8_t *chunk;
        assert_ok(tsl_store_load(s, &l, i, 1, &chunk, false, &err), &err);
        assert_true(holds(chunk, i));
        tsl_store_give(s, chunk);
    }
    tsl_store_drop(s, &l);
    tsl_store_destroy(s);
}

static struct tsl_store *shared;
static struct tsl_blocklist shared_lists[4];

static void put_many(void *arg)
{
    struct taker *t = arg;
    for (uint64_t i = 0; i < 100; i++)
        if (put(shared, &shared_lists[t->what], i, &t->err) < 0)
            return;
}

static void threads_put_beside_each_other(void **state)
{
    struct tsl_err err = { 0 };
    struct taker t[4] = { 0 };
    struct tsl_thread threads[4] = { 0 };
    (void)state;
    shared = make_store(CHUNKS, TSL_CODEC_NONE, false);
    memset(shared_lists, 0, sizeof shared_lists);
    rank_all(shared, shared_lists, 4);
    for (int i = 0; i < 4; i++) {
        t[i].what = i;
        assert_ok(tsl_thread_start(&threads[i], put_many, &t[i], &err), &err);
    }
    for (int i = 0; i < 4; i++)
        tsl_thread_join(&threads[i]);
    for (int i = 0; i < 4; i++) {
        assert_ok(t[i].err.code, &t[i].err);
        assert_int_equal(shared_lists[i].n, 100);
        for (uint64_t k = 0; k < 100; k++) {
            uint8_t *chunk;
            assert_ok(tsl_store_load(shared, &shared_lists[i], k, 1, &chunk, false, &err),
                      &err);
            assert_true(holds(chunk, k));
            tsl_store_give(shared, chunk);
        }
        tsl_store_drop(shared, &shared_lists[i]);
    }
    tsl_store_destroy(shared);
}

static void any_failure_is_told(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth += 1 + nth / 30) {
        struct tsl_err err = { 0 };
        struct tsl_store *s = NULL;
        struct tsl_blocklist l = { 0 }, *r[1] = { &l };
        uint8_t *chunk;
        struct tsl_store_opts o = { .bytes = 16 * CHUNK,
                                    .chunk_bytes = CHUNK,
                                    .nwriters = 2,
                                    .dirs = here,
                                    .ndirs = 1,
                                    .compress = TSL_CODEC_ZSTD };
        bool right = true;
        fault_arm(nth, NULL);
        int rc = tsl_store_create(&s, &o, &err);
        if (rc == 0)
            rc = tsl_store_rank(s, r, 1, &err);
        for (uint64_t i = 0; i < 60 && rc == 0; i++)
            rc = put(s, &l, i, &err);
        for (uint64_t i = 0; i < 60 && rc == 0; i++) {
            rc = tsl_store_load(s, &l, i, 1, &chunk, false, &err);
            if (rc == 0) {
                right &= holds(chunk, i);
                tsl_store_give(s, chunk);
            }
        }
        if (s)
            tsl_store_drop(s, &l);
        tsl_store_destroy(s);
        const char *call = fault_disarm();
        assert_true(folder_is_empty("."));
        if (!call) {
            assert_ok(rc, &err);
            assert_true(right);
            break;
        }
        if (rc == 0)
            assert_true(right && fault_is_harmless(call));
        else
            assert_true(err.code != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(blocks_survive_eviction),
        TEST(one_block_can_be_looked_at_and_stays),
        TEST(what_is_not_ranked_stays_in_memory),
        TEST(lists_needed_last_go_to_disk_first),
        TEST(a_flipped_bit_on_disk_is_an_error),
        TEST(blocks_that_changed_places_are_an_error),
        TEST(a_disk_that_cannot_be_read_is_told),
        TEST(a_full_disk_is_told_to_whoever_needs_a_chunk),
        TEST(cancel_wakes_whoever_waits),
        TEST(a_chunk_given_back_wakes_whoever_waits),
        TEST(memory_set_aside_is_taken_from_the_blocks),
        TEST(threads_put_beside_each_other),
        TEST(any_failure_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
