#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "samples/shardjob.h"
#include "support/fault.h"
#include "support/rectrip.h"

static char a[] = "a.tslrec", b[] = "b.jsonl", c[] = "c.tslrec", out[] = "out";
enum { N = 30, FIRST = 12 };
static struct recdata records[N];
static struct rectrip all;

/* Records FIRST of them in a, the others in b, of the same columns; without meta. */
static void make(const char *format)
{
    struct tsl_err err = { 0 };
    all = (struct rectrip){ .n = N, .records = records };
    rectrip_columns(&all.head.schema, "i64", "sl");
    rectrip_columns(&all.head.schema, "str", "s");
    for (unsigned k = 0; k < N; k++)
        rectrip_corner(&records[k], &all.head.schema, k % 2 ? k + 1 : 1);
    struct rectrip part = all;
    part.opts.format = "native";
    part.n = FIRST;
    assert_ok(rectrip_write(&part, "a", &err), &err);
    part.records = records + FIRST;
    part.n = N - FIRST;
    part.opts.format = format;
    assert_ok(rectrip_write(&part, "b", &err), &err);
}

static void drop(void)
{
    for (size_t i = 0; i < N; i++)
        recdata_free(&records[i]);
}

static int run(char *const *paths, size_t n, struct tsl_shardset_opts set,
               struct tsl_shardjob_stats *st, struct tsl_err *err)
{
    struct tsl_shardjob_stats none;
    set.dir = "out";
    struct tsl_shardjob_opts o = { .paths = paths, .npaths = n, .set = set };
    return tsl_shardjob_run(&o, st ? st : &none, err);
}

static void inputs_of_any_format_become_one_set(void **state)
{
    (void)state;
    char *both[] = { a, b };
    struct tsl_err err = { 0 };
    make("jsonl");
    static const struct tsl_shardset_opts sets[] = {
        { .shard_rows = 7 }, { .shards = 4 }, { .shard_bytes = 500 }, { .shards = 0 }
    };
    for (size_t i = 0; i < 4; i++) {
        struct tsl_shardjob_stats st;
        struct tsl_recreader_opts o = { .memory = 0 };
        struct tsl_shardset_opts set = sets[i];
        set.force = true;
        assert_ok(run(both, 2, set, &st, &err), &err);
        assert_int_equal(st.records, N);
        assert_int_equal(st.files, st.shards);
        if (i < 2)
            assert_int_equal(st.shards, i ? 4 : 5);
        assert_int_equal(folder_count("out"), st.shards + 1);
        rectrip_is(&all, out, &o);
    }
    drop();
}

static void a_run_that_was_stopped_ends_with_the_same_bytes(void **state)
{
    (void)state;
    char *both[] = { a, b };
    struct tsl_err err = { 0 };
    make("jsonl");
    struct tsl_shardset_opts set = { .shard_rows = 4, .made_by = "a test" };
    struct tsl_shardjob_stats st;
    size_t n;
    fault_skip_syncs(true);
    assert_ok(run(both, 2, set, &st, &err), &err);
    uint8_t *want = file_get("out/manifest.json", &n); /* it has the hashes of all */
    uint64_t most = 0;
    for (unsigned nth = 1;; nth += 3) {
        struct tsl_shardset_opts again = set;
        again.force = true;
        fault_arm(nth, "write pwritev fsync linkat rename");
        int rc = run(both, 2, again, NULL, &err);
        if (!fault_disarm()) {
            assert_ok(rc, &err);
            break;
        }
        assert_true(rc < 0 && err.code == rc);
        err = (struct tsl_err){ 0 };
        again.force = file_exists("out/manifest.json");
        again.resume = !again.force;
        assert_ok(run(both, 2, again, &st, &err), &err);
        most = st.resumed > most ? st.resumed : most;
        assert_true(file_is("out/manifest.json", want, n));
    }
    assert_true(most > FIRST); /* some went on within the second input */
    fault_skip_syncs(false);
    free(want);
    drop();
}

static void inputs_that_do_not_go_together_are_told_by_name(void **state)
{
    (void)state;
    char *two[] = { a, c }, *missing[] = { a, b, c };
    struct tsl_err err = { 0 };
    make("jsonl");
    struct tsl_shardset_opts set = { .shard_rows = 7, .force = true };
    assert_err(run(missing, 3, set, NULL, &err), TSL_EIO, &err, "c.tslrec");
    struct rectrip other = all;
    other.opts.format = "native";
    other.head.schema.columns[0].name[0] = 'z';
    assert_ok(rectrip_write(&other, "c", &err), &err);
    assert_err(run(two, 2, set, NULL, &err), TSL_EUSAGE, &err,
               "c.tslrec: its columns are not those of a.tslrec");
    char meta[] = "{\"seed\": 2}";
    other = all;
    other.opts.format = "native";
    other.head.meta = meta;
    assert_ok(rectrip_write(&other, "c", &err), &err);
    assert_err(run(two, 2, set, NULL, &err), TSL_EUSAGE, &err,
               "c.tslrec: it was not made as a.tslrec was");
    assert_false(file_exists("out/manifest.json"));
    /* another order of the inputs is another job */
    char *swapped[] = { b, a }, *both[] = { a, b };
    set.force = false;
    (void)both;
    set.resume = true;
    assert_err(run(swapped, 2, set, NULL, &err), TSL_EUSAGE, &err, "another job");
    drop();
}

static void shards_by_number_need_the_number_of_records(void **state)
{
    (void)state;
    char *one[] = { out };
    struct tsl_err err = { 0 };
    char fifo[] = "fifo", *pipes[] = { fifo };
    (void)one;
    assert_int_equal(mkfifo("fifo", 0600), 0);
    int fd = -1;
    /* a pipe is not read to count what is in it */
    struct tsl_shardset_opts set = { .shards = 2 };
    fd = open("fifo", O_RDWR);
    assert_true(fd >= 0);
    make("jsonl");
    size_t n;
    uint8_t *p = file_get("a.tslrec", &n);
    assert_int_equal(write(fd, p, n < 4096 ? n : 4096), n < 4096 ? n : 4096);
    int rc = run(pipes, 1, set, NULL, &err);
    assert_true(rc < 0);
    close(fd);
    free(p);
    drop();
}

static void samples_can_be_asked_for_only_of_samples(void **state)
{
    (void)state;
    char *one[] = { a };
    struct tsl_err err = { 0 };
    struct tsl_samplemap_opts map = { .layout = TSL_LAYOUT_BERT };
    struct tsl_shardjob_stats st;
    make("jsonl");
    struct tsl_shardjob_opts o = {
        .paths = one, .npaths = 1, .set = { .dir = "out" }, .map = &map
    };
    assert_err(tsl_shardjob_run(&o, &st, &err), TSL_EFORMAT, &err, "a.tslrec: ");
    assert_false(file_exists("out"));
    drop();
}

static int run_both(void *ctx, struct tsl_err *err)
{
    char *both[] = { a, b };
    struct tsl_shardset_opts set = { .shards = 3, .force = true };
    (void)ctx;
    return run(both, 2, set, NULL, err);
}

static void any_failure_is_told_and_there_is_no_set(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    make("jsonl");
    fault_skip_syncs(true);
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        fault_arm(nth, "open mkostemp fstat read preadv");
        int rc = run_both(NULL, &err);
        const char *call = fault_disarm();
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        if (rc == 0)
            fail_msg("failure %u, of %s, was not told", nth, call);
        assert_err(rc, TSL_EIO, &err, "");
    }
    for (unsigned nth = 1;;
         nth = fault_next(nth)) { /* a file that cannot be mapped, too */
        fault_arm(nth, "calloc realloc mmap");
        int rc = run_both(NULL, &err);
        if (!fault_disarm()) {
            assert_ok(rc, &err);
            break;
        }
        assert_err(rc, TSL_ENOMEM, &err, "memory");
    }
    fault_skip_syncs(false);
    drop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(inputs_of_any_format_become_one_set),
        TEST(a_run_that_was_stopped_ends_with_the_same_bytes),
        TEST(inputs_that_do_not_go_together_are_told_by_name),
        TEST(shards_by_number_need_the_number_of_records),
        TEST(samples_can_be_asked_for_only_of_samples),
        TEST(any_failure_is_told_and_there_is_no_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
