#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/shardset.h"
#include "support/fault.h"
#include "support/rectrip.h"

/* A set of t's records in folder dir, with so many in a shard, or dealt out to so many. */
static void put_set(const struct rectrip *t, const char *dir, uint64_t rows,
                    uint64_t dealt)
{
    struct tsl_shardset_opts o = { .dir = dir,
                                   .shard_rows = rows,
                                   .shards = dealt,
                                   .round_robin = dealt != 0,
                                   .records = dealt ? UINT64_MAX : t->n,
                                   .writer = t->opts };
    struct tsl_shardset *s;
    struct tsl_err err = { 0 };
    assert_ok(tsl_shardset_create(&s, &t->head, &o, &err), &err);
    for (size_t i = 0; i < t->n; i++) {
        struct tsl_record rec = { t->head.first + i, t->records[i].values };
        assert_ok(tsl_shardset_put(s, &rec, &err), &err);
    }
    assert_ok(tsl_shardset_finish(s, &err), &err);
    tsl_shardset_destroy(s);
}

enum { N = 11 };

static struct rectrip make(const char *format, struct recdata *records)
{
    struct rectrip t = {
        .opts = { .format = format }, .records = records, .n = N, .head.first = 100
    };
    rectrip_columns(&t.head.schema, "u16", "lds");
    for (unsigned k = 0; k < N; k++)
        for (unsigned seed = k + 3;; seed += 50) { /* MDS has no empty lists */
            rectrip_corner(&records[k], &t.head.schema, seed);
            if (records[k].values[0].n)
                break;
            recdata_free(&records[k]);
        }
    return t;
}

static void drop(struct recdata *records)
{
    for (size_t i = 0; i < N; i++)
        recdata_free(&records[i]);
}

static void a_set_is_its_records_in_order_in_every_format(void **state)
{
    (void)state;
    static const char *const formats[] = { "native", "npy", "jsonl", "webdataset" };
    for (size_t f = 0; f < 4; f++)
        for (uint64_t rows = 1; rows <= N; rows = rows * 3 + 1) {
            struct recdata records[N];
            struct rectrip t = make(formats[f], records);
            struct tsl_recreader_opts o = { .memory = 1 << 22 };
            char dir[20], path[40];
            snprintf(dir, sizeof dir, "%zu-%d", f, (int)rows);
            put_set(&t, dir, rows, 0);
            rectrip_is(&t, dir, &o);
            snprintf(path, sizeof path, "%s/manifest.json", dir);
            rectrip_is(&t, path, &o);
            if (f == 0) { /* without a folder in front */
                assert_int_equal(chdir(dir), 0);
                rectrip_is(&t, "manifest.json", &o);
                assert_int_equal(chdir(".."), 0);
            }
            drop(records);
        }
}

static void records_that_were_dealt_out_keep_their_numbers(void **state)
{
    (void)state;
    struct recdata records[N];
    struct rectrip t = make("native", records);
    struct tsl_recreader_opts o = { .memory = 0 };
    struct tsl_recreader *r;
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    put_set(&t, "set", 0, 4);
    assert_ok(tsl_recreader_open(&r, "set", &o, &err), &err);
    bool seen[N] = { false };
    uint64_t order[N];
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(tsl_recreader_next(r, &rec, &err), 1);
        uint64_t k = rec.number - 100;
        assert_true(k < N && !seen[k]);
        assert_true(recdata_equal(&t.head.schema, rec.values, records[k].values));
        seen[k] = true;
        order[i] = k;
    }
    assert_int_equal(tsl_recreader_next(r, &rec, &err), 0);
    for (size_t i = N; i--;) {
        assert_ok(tsl_recreader_at(r, i, &rec, &err), &err);
        assert_int_equal(rec.number, 100 + order[i]);
    }
    tsl_recreader_destroy(r);
    drop(records);
}

/* Shards beyond those that stay open at once. */
static void any_record_of_many_shards_can_be_picked(void **state)
{
    (void)state;
    enum { MANY = 300 };
    struct rectrip t = { .opts = { .format = "native" }, .n = MANY };
    static struct recdata records[MANY];
    rectrip_columns(&t.head.schema, "u32", "s");
    for (unsigned k = 0; k < MANY; k++)
        rectrip_corner(&records[k], &t.head.schema, k + 3);
    t.records = records;
    fault_skip_syncs(true);
    put_set(&t, "set", 1, 0);
    fault_skip_syncs(false);
    struct tsl_recreader_opts o = { .memory = 64 << 20 };
    rectrip_is(&t, "set", &o);
    for (unsigned k = 0; k < MANY; k++)
        recdata_free(&records[k]);
}

/* One shard of the set becomes another file. */
static void told_when(const char *to, const char *told)
{
    struct recdata records[N];
    struct rectrip t = make("native", records);
    struct tsl_recreader_opts o = { .memory = 0 };
    struct tsl_recreader *r;
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    put_set(&t, "set", 4, 0);
    t.n = 3; /* of another number of records, and of other columns */
    put_set(&t, "few", 4, 0);
    t.n = 5;
    put_set(&t, "many", 9, 0);
    t.n = 4;
    struct tsl_schema columns = t.head.schema;
    strcpy(t.head.schema.columns[0].name, "other");
    put_set(&t, "other", 4, 0);
    t.head.schema = columns;
    if (to)
        assert_int_equal(rename(to, "set/part-00001.tslrec"), 0);
    else
        assert_int_equal(unlink("set/part-00001.tslrec"), 0);
    int rc = tsl_recreader_open(&r, "set", &o, &err);
    assert_ok(rc, &err);
    while ((rc = tsl_recreader_next(r, &rec, &err)) == 1)
        ;
    assert_err(rc, to ? TSL_EFORMAT : TSL_EIO, &err, told);
    tsl_recreader_destroy(r);
    /* and where they are picked, too */
    assert_ok(tsl_recreader_open(&r, "set", &o, &err), &err);
    for (rc = 1, t.n = 4; rc == 1 && t.n < 8; t.n++)
        rc = tsl_recreader_at(r, t.n, &rec, &err);
    assert_err(rc, to ? TSL_EFORMAT : TSL_EIO, &err, told);
    tsl_recreader_destroy(r);
    drop(records);
}

static void a_shard_that_has_gone_is_told(void **state)
{
    (void)state;
    told_when(NULL, "set/part-00001.tslrec");
}

static void a_shard_with_fewer_records_is_told(void **state)
{
    (void)state;
    told_when("few/part-00000.tslrec",
              "set/part-00001.tslrec: it holds fewer records than the 4");
}

static void a_shard_with_more_records_is_told(void **state)
{
    (void)state;
    told_when("many/part-00000.tslrec",
              "set/part-00001.tslrec: it holds more records than the 4");
}

static void a_shard_with_other_columns_is_told(void **state)
{
    (void)state;
    told_when("other/part-00000.tslrec",
              "set/part-00001.tslrec: its columns are not those of the set");
}

static void a_folder_without_a_manifest_is_no_set(void **state)
{
    (void)state;
    struct tsl_recreader_opts o = { .format = "set" };
    struct tsl_recreader *r;
    struct tsl_err err = { 0 };
    assert_int_equal(mkdir("d", 0700), 0);
    assert_err(tsl_recreader_open(&r, "d", &o, &err), TSL_EIO, &err, "d/manifest.json");
    o.format = NULL;
    assert_err(tsl_recreader_open(&r, "d", &o, &err), TSL_EFORMAT, &err, "no set");
}

struct run {
    uint64_t picked;
};

static int read_set(void *ctx, struct tsl_err *err)
{
    struct tsl_recreader_opts o = { .memory = 1 << 22 };
    struct tsl_recreader *r;
    struct tsl_record rec;
    const struct run *run = ctx;
    int rc = tsl_recreader_open(&r, "set", &o, err);
    if (rc < 0)
        return rc;
    if (run->picked < N)
        rc = tsl_recreader_at(r, run->picked, &rec, err);
    while (rc >= 0 && (rc = tsl_recreader_next(r, &rec, err)) == 1)
        ;
    tsl_recreader_destroy(r);
    return rc;
}

static void any_failure_is_told(void **state)
{
    (void)state;
    struct recdata records[N];
    struct rectrip t = make("native", records);
    struct run run = { 5 };
    struct tsl_err err = { 0 };
    put_set(&t, "set", 4, 0);
    for (unsigned nth = 1;;
         nth = fault_next(nth)) { /* a file that cannot be mapped, too */
        fault_arm(nth, "calloc realloc mmap");
        int rc = read_set(&run, &err);
        const char *call = fault_disarm();
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        if (rc == 0)
            fail_msg("failure %u, of %s, was not told", nth, call);
        assert_err(rc, TSL_ENOMEM, &err, "memory");
    }
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        fault_arm(nth, "open fstat read preadv");
        int rc = read_set(&run, &err);
        if (!fault_disarm()) {
            assert_ok(rc, &err);
            break;
        }
        assert_err(rc, TSL_EIO, &err, "");
    }
    drop(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_set_is_its_records_in_order_in_every_format),
        TEST(records_that_were_dealt_out_keep_their_numbers),
        TEST(any_record_of_many_shards_can_be_picked),
        TEST(a_shard_that_has_gone_is_told),
        TEST(a_shard_with_fewer_records_is_told),
        TEST(a_shard_with_more_records_is_told),
        TEST(a_shard_with_other_columns_is_told),
        TEST(a_folder_without_a_manifest_is_no_set),
        TEST(any_failure_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
