#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/shardset.h"
#include "support/fault.h"

enum { RECORDS = 10 };

/* Records of one list, of i + 1 ids i each. */
static int put_record(struct tsl_shardset *s, uint64_t i, struct tsl_err *err)
{
    uint16_t ids[64];
    for (uint64_t k = 0; k <= i; k++)
        ids[k] = (uint16_t)i;
    struct tsl_value v = { ids, NULL, (uint32_t)i + 1 };
    struct tsl_record rec = { 0, &v };
    return tsl_shardset_put(s, &rec, err);
}

static struct tsl_rechead head_of(void)
{
    struct tsl_rechead h = { .first = 0 };
    assert_ok(tsl_schema_add(&h.schema, "ids", TSL_U16, true, 0, NULL, NULL), NULL);
    return h;
}

/* Puts the records up to end behind those resumed, then finishes, if all are there. */
static int run(const struct tsl_shardset_opts *o, uint64_t end, uint64_t *resumed,
               struct tsl_err *err)
{
    struct tsl_rechead head = head_of();
    struct tsl_shardset *s;
    int rc = tsl_shardset_create(&s, &head, o, err);
    if (rc < 0)
        return rc;
    uint64_t from = tsl_shardset_resumed(s);
    if (resumed)
        *resumed = from;
    for (uint64_t i = from; rc == 0 && i < end; i++)
        rc = put_record(s, i, err);
    if (rc == 0 && end == RECORDS)
        rc = tsl_shardset_finish(s, err);
    tsl_shardset_destroy(s);
    return rc;
}

static struct tsl_shardset_opts rows(uint64_t n)
{
    return (struct tsl_shardset_opts){ .dir = "set",
                                       .shard_rows = n,
                                       .records = RECORDS,
                                       .made_by = "a test",
                                       .job = "{\"seed\":1}",
                                       .writer = { .format = "u16" } };
}

/* The ids of shard number are those of the records first, first + step, ... below end. */
static void shard_is(unsigned number, uint64_t first, uint64_t step, uint64_t end)
{
    uint8_t want[2 * 64];
    char name[64];
    size_t n = 0;
    for (uint64_t i = first; i < end; i += step)
        for (uint64_t k = 0; k <= i; k++) {
            want[n++] = (uint8_t)i;
            want[n++] = 0;
        }
    snprintf(name, sizeof name, "set/part-%05u.bin", number);
    assert_true(file_is(name, want, n));
}

static void rows_fill_shards_and_the_last_has_the_rest(void **state)
{
    (void)state;
    struct tsl_shardset_opts o = rows(4);
    struct tsl_err err = { 0 };
    assert_ok(run(&o, RECORDS, NULL, &err), &err);
    assert_int_equal(folder_count("set"), 4);
    shard_is(0, 0, 1, 4);
    shard_is(1, 4, 1, 8);
    shard_is(2, 8, 1, 10);
}

static void a_number_of_shards_gets_even_shares(void **state)
{
    (void)state;
    struct tsl_shardset_opts o = rows(0);
    struct tsl_err err = { 0 };
    o.shards = 3;
    assert_ok(run(&o, RECORDS, NULL, &err), &err);
    assert_int_equal(folder_count("set"), 4);
    shard_is(0, 0, 1, 4);
    shard_is(1, 4, 1, 7);
    shard_is(2, 7, 1, 10);
}

static void round_robin_deals_records_out(void **state)
{
    (void)state;
    struct tsl_shardset_opts o = rows(0);
    struct tsl_err err = { 0 };
    o.shards = 3;
    o.round_robin = true;
    o.records = UINT64_MAX;
    assert_ok(run(&o, RECORDS, NULL, &err), &err);
    for (unsigned i = 0; i < 3; i++)
        shard_is(i, i, 3, RECORDS);
}

static void bytes_end_a_shard_once_it_has_them(void **state)
{
    (void)state;
    struct tsl_shardset_opts o = rows(0);
    struct tsl_err err = { 0 };
    o.shard_bytes = 30; /* 1 + 2 + 3 + 4 + 5 ids have 30 bytes */
    assert_ok(run(&o, RECORDS, NULL, &err), &err);
    shard_is(0, 0, 1, 5);
    shard_is(1, 5, 1, 8);
    shard_is(2, 8, 1, 10);
}

static void shards_are_told_in_one_way_only(void **state)
{
    (void)state;
    struct tsl_shardset_opts o = rows(4);
    struct tsl_err err = { 0 };
    o.shards = 2;
    assert_err(run(&o, RECORDS, NULL, &err), TSL_EUSAGE, &err, "by one of them");
    o = rows(4);
    o.round_robin = true;
    assert_err(run(&o, RECORDS, NULL, &err), TSL_EUSAGE, &err, "round robin");
    o = rows(0);
    o.shards = 2;
    o.records = UINT64_MAX;
    assert_err(run(&o, RECORDS, NULL, &err), TSL_EUSAGE, &err, "number of records");
    static const char *const names[] = { "part", "%d-%d", "a/%d", "%s", "%12345d", "%" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        o = rows(4);
        o.name = names[i];
        assert_err(run(&o, RECORDS, NULL, &err), TSL_EUSAGE, &err, "a shard's name");
    }
    assert_true(folder_is_empty("."));
}

static void fewer_records_than_told_make_no_set(void **state)
{
    (void)state;
    struct tsl_shardset_opts o = rows(0);
    struct tsl_err err = { 0 };
    o.shards = 2;
    o.records = RECORDS + 1;
    assert_err(run(&o, RECORDS, NULL, &err), TSL_EVERIFY, &err, "10 records came");
    assert_false(file_exists("set/manifest.json"));
}

static void a_set_without_records_is_one_without_shards(void **state)
{
    (void)state;
    struct tsl_shardset_opts o = rows(4);
    struct tsl_rechead head = head_of();
    struct tsl_err err = { 0 };
    struct tsl_shardset *s;
    assert_ok(tsl_shardset_create(&s, &head, &o, &err), &err);
    assert_ok(tsl_shardset_finish(s, &err), &err);
    assert_int_equal(tsl_shardset_manifest(s)->nshards, 0);
    tsl_shardset_destroy(s);
    assert_int_equal(folder_count("set"), 1);
}

static void a_stopped_run_goes_on_to_the_same_bytes(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    uint64_t resumed;
    size_t n;
    struct tsl_shardset_opts o = rows(3);
    assert_ok(run(&o, RECORDS, NULL, &err), &err);
    uint8_t *want = file_get("set/manifest.json", &n);
    for (uint64_t stop = 0; stop < RECORDS; stop++) {
        o = rows(3);
        o.force = true;
        assert_ok(run(&o, stop, NULL, &err), &err);
        assert_false(file_exists("set/manifest.json"));
        o.force = false;
        o.resume = true;
        assert_ok(run(&o, RECORDS, &resumed, &err), &err);
        assert_int_equal(resumed, stop ? (stop - 1) / 3 * 3 : 0);
        assert_true(file_is("set/manifest.json", want, n));
        assert_int_equal(folder_count("set"), 5);
        for (unsigned i = 0; i < 4; i++)
            shard_is(i, 3 * (uint64_t)i, 1, i < 3 ? 3 * (uint64_t)i + 3 : RECORDS);
    }
    free(want);
}

static void records_are_numbered_on_after_a_resume_in_every_format(void **state)
{
    (void)state;
    static const char *const formats[] = { "native", "mds",      "tfrecord", "webdataset",
                                           "jsonl",  "npy",      "megatron", "llmc",
                                           "u32",    "datatrove" };
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        struct tsl_shardset_opts o = rows(4);
        struct tsl_err err = { 0 };
        size_t n;
        o.force = true;
        o.writer.format = formats[f];
        assert_ok(run(&o, RECORDS, NULL, &err), &err);
        uint8_t *want = file_get("set/manifest.json", &n); /* it has the files' hashes */
        assert_ok(run(&o, 7, NULL, &err), &err);
        o.force = false;
        o.resume = true;
        assert_ok(run(&o, RECORDS, NULL, &err), &err);
        assert_true(file_is("set/manifest.json", want, n));
        free(want);
    }
}

static void what_is_there_is_kept_unless_it_is_forced(void **state)
{
    (void)state;
    struct tsl_shardset_opts o = rows(3);
    struct tsl_err err = { 0 };
    assert_ok(run(&o, 7, NULL, &err), &err);
    assert_err(run(&o, RECORDS, NULL, &err), TSL_EUSAGE, &err, "manifest.journal");
    o.resume = true;
    o.job = "{\"seed\":2}";
    assert_err(run(&o, RECORDS, NULL, &err), TSL_EUSAGE, &err, "another job");
    o = rows(3);
    o.resume = true;
    o.shard_rows = 4;
    assert_err(run(&o, RECORDS, NULL, &err), TSL_EUSAGE, &err, "another job");
    o = rows(3);
    o.resume = true;
    assert_ok(run(&o, RECORDS, NULL, &err), &err);
    assert_err(run(&o, RECORDS, NULL, &err), TSL_EUSAGE, &err, "a finished set");
    o = rows(5);
    o.force = true;
    assert_ok(run(&o, RECORDS, NULL, &err), &err);
    assert_int_equal(folder_count("set"), 3);
}

static void a_shard_that_changed_cannot_be_resumed(void **state)
{
    (void)state;
    struct tsl_shardset_opts o = rows(3);
    struct tsl_err err = { 0 };
    assert_ok(run(&o, 7, NULL, &err), &err);
    assert_int_equal(truncate("set/part-00001.bin", 8), 0);
    o.resume = true;
    assert_err(run(&o, RECORDS, NULL, &err), TSL_EFORMAT, &err, "part-00001.bin");
    assert_int_equal(unlink("set/part-00001.bin"), 0);
    assert_err(run(&o, RECORDS, NULL, &err), TSL_EIO, &err, "part-00001.bin");
}

static void a_damaged_journal_is_told_and_a_torn_line_forgotten(void **state)
{
    (void)state;
    struct tsl_shardset_opts o = rows(3);
    struct tsl_err err = { 0 };
    uint64_t resumed;
    size_t n;
    assert_ok(run(&o, 7, NULL, &err), &err);
    uint8_t *journal = file_get("set/manifest.journal", &n);
    o.resume = true;
    journal[n / 2] ^= 1;
    file_put("set/manifest.journal", journal, n);
    assert_err(run(&o, RECORDS, NULL, &err), TSL_EFORMAT, &err, "manifest.journal");
    journal[n / 2] ^= 1;
    file_put("set/manifest.journal", journal, n - 5); /* a line that was being written */
    assert_ok(run(&o, RECORDS, &resumed, &err), &err);
    assert_int_equal(resumed, 3);
    shard_is(1, 3, 1, 6);
    free(journal);
}

static void after_any_failure_there_is_no_set_and_the_run_can_go_on(void **state)
{
    (void)state;
    static const char *const formats[] = { "native", "mds" };
    for (size_t i = 0; i < 4; i++) {
        size_t f = i / 2, calls = i % 2;
        struct tsl_shardset_opts o = rows(6);
        struct tsl_err err = { 0 };
        size_t n;
        o.writer.format = formats[f];
        o.force = true;
        assert_ok(run(&o, RECORDS, NULL, &err), &err);
        uint8_t *want = file_get("set/manifest.json", &n);
        for (unsigned nth = 1;; nth += calls ? 1 + f : 37) {
            o.force = true;
            o.resume = false;
            fault_arm(nth,
                      calls ? "write pwritev fsync linkat rename" : "calloc realloc");
            int rc = run(&o, RECORDS, NULL, &err);
            const char *call = fault_disarm();
            if (!call)
                break;
            assert_true(rc == 0
                            ? fault_is_harmless(call) || file_exists("set/manifest.json")
                            : err.code == rc);
            err = (struct tsl_err){ 0 };
            o.force = file_exists("set/manifest.json");
            o.resume = !o.force;
            assert_ok(run(&o, RECORDS, NULL, &err), &err);
            assert_true(file_is("set/manifest.json", want, n));
            assert_false(file_exists("set/manifest.journal"));
        }
        free(want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_fill_shards_and_the_last_has_the_rest),
        TEST(a_number_of_shards_gets_even_shares),
        TEST(round_robin_deals_records_out),
        TEST(bytes_end_a_shard_once_it_has_them),
        TEST(shards_are_told_in_one_way_only),
        TEST(fewer_records_than_told_make_no_set),
        TEST(a_set_without_records_is_one_without_shards),
        TEST(a_stopped_run_goes_on_to_the_same_bytes),
        TEST(records_are_numbered_on_after_a_resume_in_every_format),
        TEST(what_is_there_is_kept_unless_it_is_forced),
        TEST(a_shard_that_changed_cannot_be_resumed),
        TEST(a_damaged_journal_is_told_and_a_torn_line_forgotten),
        TEST(after_any_failure_there_is_no_set_and_the_run_can_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
