#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/outset.h"
#include "io/source.h"
#include "support/fault.h"
#include "support/gendata.h"

enum { PUT = 0, ONE_BY_ONE = 1 };

/* Row i: "row I" and as many dots as make its length interesting. */
static size_t row_text(uint64_t i, char *p)
{
    int n = sprintf(p, "row %llu", (unsigned long long)i);
    for (uint64_t k = 0; k < i * 7 % 23; k++)
        p[n++] = '.';
    p[n++] = '\n';
    return (size_t)n;
}

/* Writes rows 0 .. n - 1, the way of shufrange or that of shufjob. */
static int write_rows(struct tsl_outset *s, uint64_t n, int way, struct tsl_err *err)
{
    char p[5000];
    uint32_t ends[64];
    int rc = 0;
    for (uint64_t i = 0; i < n && rc == 0;) {
        if (way == PUT) {
            size_t k = 0, len = 0;
            for (; k < 40 && i < n; k++, i++) {
                len += row_text(i, p + len);
                ends[k] = (uint32_t)len;
            }
            rc = tsl_outset_put(s, (uint8_t *)p, ends, k, err);
        } else {
            uint64_t rows, bytes;
            size_t len = row_text(i, p);
            rc = tsl_outset_room(s, &rows, &bytes, err);
            if (rc == 0)
                rc = tsl_outset_write(s, 0, (uint8_t *)p, len, err);
            if (rc == 0)
                tsl_outset_count(s, 1);
            i++;
        }
    }
    return rc;
}

static int run(const struct tsl_outset_opts *o, uint64_t n, int way, const char *header,
               bool commit, struct tsl_err *err)
{
    struct tsl_outset *s = NULL;
    const uint8_t *h[1] = { (const uint8_t *)header };
    size_t len[1] = { header ? strlen(header) : 0 };
    int rc = tsl_outset_create(&s, o, err);
    if (rc == 0)
        rc = tsl_outset_begin(s, n, h, len, err);
    if (rc == 0)
        rc = write_rows(s, n, way, err);
    if (rc == 0 && commit)
        rc = tsl_outset_commit(s, err);
    tsl_outset_destroy(s);
    return rc;
}

/* Checks that name holds header and rows from *next on, and counts them. */
static uint64_t rows_in(const char *name, const char *header, uint64_t *next)
{
    struct tsl_source s;
    struct tsl_err err = { 0 };
    static uint8_t got[1 << 20];
    size_t at = header ? strlen(header) : 0;
    uint64_t k = 0;
    assert_ok(tsl_source_open(&s, name, 8 << 20, &err), &err);
    int64_t n = tsl_source_read(&s, got, sizeof got, &err);
    assert_ok(n, &err);
    tsl_source_close(&s, NULL);
    assert_true((size_t)n >= at);
    if (header)
        assert_memory_equal(got, header, at);
    for (; at < (size_t)n; k++) {
        char want[100];
        size_t len = row_text(*next, want);
        assert_true(at + len <= (size_t)n);
        assert_memory_equal(got + at, want, len);
        at += len;
        ++*next;
    }
    return k;
}

static void one_file_takes_all(void **state)
{
    const char *const patterns[] = { "100%d.txt" }; /* a plain name, % included */
    (void)state;
    for (int way = 0; way < 2; way++)
        for (uint64_t n = 0; n < 300; n += 99) {
            struct tsl_err err = { 0 };
            struct tsl_outset_opts o = { .patterns = patterns, .nparts = 1 };
            uint64_t next = 0;
            assert_ok(run(&o, n, way, "head\n", true, &err), &err);
            assert_int_equal(folder_count("."), 1);
            assert_int_equal(rows_in("100%d.txt", "head\n", &next), n);
        }
}

static void shards_differ_by_one_row_at_most(void **state)
{
    const char *const patterns[] = { "part-%03d.txt" };
    (void)state;
    for (int way = 0; way < 2; way++)
        for (uint64_t shards = 1; shards < 9; shards++)
            for (uint64_t n = 0; n < 100; n += n < 12 ? 1 : 29) {
                struct tsl_err err = { 0 };
                struct tsl_outset_opts o = { .patterns = patterns,
                                             .nparts = 1,
                                             .shards = shards };
                uint64_t next = 0, last = UINT64_MAX;
                char name[40];
                assert_ok(run(&o, n, way, "h\n", true, &err), &err);
                uint64_t files = n < shards ? n : shards; /* no empty one */
                assert_int_equal(folder_count("."), files);
                for (uint64_t i = 0; i < files; i++) {
                    sprintf(name, "part-%03d.txt", (int)i);
                    uint64_t k = rows_in(name, "h\n", &next);
                    assert_in_range(k, n / shards, n / shards + 1);
                    assert_true(k <= last); /* the longer ones come first */
                    last = k;
                    unlink(name);
                }
                assert_int_equal(next, n);
            }
}

static void shards_have_the_rows_asked_for(void **state)
{
    const char *const patterns[] = { "%d" };
    (void)state;
    for (int way = 0; way < 2; way++)
        for (uint64_t each = 1; each < 120; each = each * 3 + 1)
            for (uint64_t n = 0; n < 100; n += 33) {
                struct tsl_err err = { 0 };
                struct tsl_outset_opts o = { .patterns = patterns,
                                             .nparts = 1,
                                             .shard_rows = each };
                uint64_t next = 0, files = (n + each - 1) / each;
                char name[40];
                assert_ok(run(&o, n, way, NULL, true, &err), &err);
                assert_int_equal(folder_count("."), files);
                for (uint64_t i = 0; i < files; i++) {
                    sprintf(name, "%d", (int)i);
                    assert_int_equal(rows_in(name, NULL, &next),
                                     i + 1 < files ? each : n - (files - 1) * each);
                    unlink(name);
                }
                assert_int_equal(next, n);
            }
}

static void shards_are_as_full_as_their_bytes_allow(void **state)
{
    const char *const patterns[] = { "%d" };
    (void)state;
    for (uint64_t most = 1; most < 3000; most = most * 2 + 1) {
        struct tsl_err err = { 0 };
        struct tsl_outset_opts o = { .patterns = patterns,
                                     .nparts = 1,
                                     .shard_bytes = most };
        uint64_t next = 0, n = 200, files;
        char name[40], row[100];
        assert_ok(run(&o, n, PUT, NULL, true, &err), &err);
        files = folder_count(".");
        for (uint64_t i = 0; i < files; i++) {
            struct stat st;
            sprintf(name, "%d", (int)i);
            uint64_t k = rows_in(name, NULL, &next);
            assert_int_equal(stat(name, &st), 0);
            assert_true(k >= 1);
            assert_true((uint64_t)st.st_size <= most ||
                        k == 1); /* a larger row has its own */
            if (i + 1 < files)   /* the next row would not have fit */
                assert_true((uint64_t)st.st_size + row_text(next, row) > most);
            unlink(name);
        }
        assert_int_equal(next, n);
    }
}

static void splits_add_up_and_are_rounded_fairly(void **state)
{
    static const struct tsl_outset_split splits[][4] = {
        { { "a", 0.5 }, { "b", 0.25 }, { "c", 0.25 } },
        { { "a", 0.98 }, { "b", 0.01 }, { "c", 0.01 } },
        { { "a", 1.0 / 3 }, { "b", 1.0 / 3 }, { "c", 1 - 2.0 / 3 } },
        { { "a", 0 }, { "b", 1 }, { "c", 0 } },
        { { "a", 0.1 }, { "b", 0.2 }, { "c", 0.7 } },
    };
    (void)state;
    for (size_t k = 0; k < sizeof splits / sizeof *splits; k++)
        for (uint64_t n = 0; n < 140; n += n < 12 ? 1 : 31) {
            struct tsl_err err = { 0 };
            struct tsl_outset_opts o = { .nparts = 1, .splits = splits[k], .nsplits = 3 };
            uint64_t next = 0;
            assert_ok(run(&o, n, n % 2, "h\n", true, &err), &err);
            assert_int_equal(folder_count("."), 3); /* an empty one has its file, too */
            for (int i = 0; i < 3; i++) {
                uint64_t rows = rows_in(splits[k][i].name, "h\n", &next);
                double want = (double)n * splits[k][i].share;
                assert_true((double)rows > want - 1 && (double)rows < want + 1);
                if (n % 100 == 0)
                    assert_int_equal(rows, lround(want));
                unlink(splits[k][i].name);
            }
            assert_int_equal(next, n);
        }
}

static void names_are_made_by_the_pattern(void **state)
{
    static const struct tsl_outset_split splits[] = { { "train", 0.75 },
                                                      { "test", 0.25 } };
    static const struct {
        const char *pattern;
        uint64_t shards;
        size_t nsplits;
        const char *names[4];
    } cases[] = {
        { "x-%d.txt", 2, 0, { "x-0.txt", "x-1.txt" } },
        { "%05d", 2, 0, { "00000", "00001" } },
        { "a%%b%2d", 2, 0, { "a%b 0", "a%b 1" } },
        { "x.txt.zst", 2, 0, { "x-00000.txt.zst", "x-00001.txt.zst" } },
        { "x", 2, 0, { "x-00000", "x-00001" } },
        { "d.d/x", 2, 0, { "d.d/x-00000", "d.d/x-00001" } },
        { ".x", 2, 0, { ".x-00000", ".x-00001" } },
        { "x.txt", 0, 2, { "x.train.txt", "x.test.txt" } },
        { "%s.txt", 0, 2, { "train.txt", "test.txt" } },
        { "%s-%d", 1, 2, { "train-0", "test-0" } },
        { "x.txt", 1, 2, { "x.train-00000.txt", "x.test-00000.txt" } },
        { "%s.txt", 1, 2, { "train-00000.txt", "test-00000.txt" } },
        { "n%d.txt", 1, 2, { "n0.train.txt", "n0.test.txt" } },
        { NULL, 0, 2, { "train", "test" } },
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct tsl_err err = { 0 };
        struct tsl_outset_opts o = { .patterns =
                                         cases[c].pattern ? &cases[c].pattern : NULL,
                                     .nparts = 1,
                                     .shards = cases[c].shards,
                                     .splits = splits,
                                     .nsplits = cases[c].nsplits };
        assert_int_equal(mkdir("d.d", 0700), 0);
        assert_ok(run(&o, 8, PUT, NULL, true, &err), &err);
        for (const char *const *name = cases[c].names; *name; name++) {
            if (!file_exists(*name))
                print_error("%s does not make %s\n", cases[c].pattern, *name);
            assert_true(file_exists(*name));
            unlink(*name);
        }
        assert_int_equal(rmdir("d.d"), 0);
        assert_true(folder_is_empty("."));
    }
}

static void patterns_that_cannot_work_are_refused_at_once(void **state)
{
    static const struct tsl_outset_split splits[] = { { "a", 0.5 }, { "b", 0.5 } };
    static const struct {
        const char *pattern;
        uint64_t shards;
        size_t nsplits;
    } bad[] = { { "%x", 2, 0 },   { "%", 2, 0 },         { "a%", 2, 0 }, { "%5s", 0, 2 },
                { "%s", 2, 0 },   { "%d", 0, 2 },        { "%n", 2, 0 }, { "%-5d", 2, 0 },
                { "%99d", 2, 0 }, { "%1234567d", 2, 0 }, { NULL, 2, 0 } };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsl_err err = { 0 };
        struct tsl_outset *s = NULL;
        struct tsl_outset_opts o = { .patterns = bad[i].pattern ? &bad[i].pattern : NULL,
                                     .nparts = 1,
                                     .shards = bad[i].shards,
                                     .splits = splits,
                                     .nsplits = bad[i].nsplits };
        assert_err(tsl_outset_create(&s, &o, &err), TSL_EUSAGE, &err, "");
        assert_null(s);
    }
}

static void a_folder_that_is_missing_is_told_before_the_work(void **state)
{
    const char *const patterns[] = { "nodir/x" };
    struct tsl_err err = { 0 };
    struct tsl_outset *s = NULL;
    struct tsl_outset_opts o = { .patterns = patterns, .nparts = 1 };
    (void)state;
    int rc = tsl_outset_create(&s, &o, &err);
    tsl_outset_destroy(s);
    assert_err(rc, TSL_EIO, &err, "nodir");
}

static void nothing_has_its_name_before_commit(void **state)
{
    const char *const patterns[] = { "%d" };
    struct tsl_err err = { 0 };
    struct tsl_outset_opts o = { .patterns = patterns, .nparts = 1, .shards = 5 };
    (void)state;
    file_put_text("3", "old");
    assert_ok(run(&o, 100, PUT, NULL, false, &err), &err);
    assert_true(file_is_text("3", "old"));
    assert_int_equal(folder_count("."), 1);
}

static void all_files_or_none(void **state)
{
    const char *const patterns[] = { "%d" };
    struct tsl_outset_opts o = { .patterns = patterns, .nparts = 1, .shards = 3 };
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        fault_arm(nth, NULL);
        int rc = run(&o, 50, PUT, NULL, true, &err);
        const char *call = fault_disarm();
        size_t n = folder_count(".");
        if (rc < 0)
            assert_int_equal(err.code, rc);
        else
            assert_int_equal(n, 3);
        if (n != 0 && n != 3)
            print_error("failure %u (%s): %zu files of 3\n", nth, call, n);
        assert_true(n == 0 || n == 3);
        unlink("0");
        unlink("1");
        unlink("2");
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        assert_true(rc < 0 || fault_is_harmless(call));
    }
}

static void scarce_descriptors_suffice_for_many_files(void **state)
{
    const char *const patterns[] = { "%d" };
    struct tsl_err err = { 0 };
    struct tsl_outset_opts o = { .patterns = patterns, .nparts = 1, .shards = 80 };
    struct rlimit old, low;
    uint64_t next = 0;
    char name[40];
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    pid_t child = fork(); /* the hard limit cannot be raised again */
    if (child == 0) {
        low = (struct rlimit){ 32, 32 };
        if (setrlimit(RLIMIT_NOFILE, &low) < 0)
            _exit(2);
        _exit(run(&o, 240, PUT, NULL, true, &err) == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(folder_count("."), 80);
    for (int i = 0; i < 80; i++) {
        sprintf(name, "%d", i);
        assert_int_equal(rows_in(name, NULL, &next), 3);
    }
}

static void parts_go_to_files_of_their_own(void **state)
{
    const char *const patterns[] = { "a-%d", "b-%d" };
    struct tsl_err err = { 0 };
    struct tsl_outset *s = NULL;
    struct tsl_outset_opts o = { .patterns = patterns, .nparts = 2, .shards = 2 };
    const uint8_t *header[] = { (const uint8_t *)"A", (const uint8_t *)"BB" };
    size_t header_len[] = { 1, 2 };
    (void)state;
    assert_ok(tsl_outset_create(&s, &o, &err), &err);
    assert_true(tsl_outset_divides(s));
    assert_ok(tsl_outset_begin(s, 4, header, header_len, &err), &err);
    for (int i = 0; i < 4; i++) {
        uint64_t rows, bytes;
        assert_ok(tsl_outset_room(s, &rows, &bytes, &err), &err);
        assert_int_equal(rows, i % 2 ? 1 : 2);
        assert_true(bytes == UINT64_MAX);
        assert_ok(tsl_outset_write(s, 1, (const uint8_t *)"xyz\n", 4, &err), &err);
        assert_ok(tsl_outset_write(s, 0, (const uint8_t *)"1\n", 2, &err), &err);
        tsl_outset_count(s, 1);
    }
    assert_ok(tsl_outset_commit(s, &err), &err);
    assert_int_equal(tsl_outset_files(s), 4);
    assert_int_equal(tsl_outset_bytes(s), 2 * 1 + 2 * 2 + 4 * 6);
    assert_int_equal(tsl_outset_split_rows(s, 0), 4);
    tsl_outset_destroy(s);
    assert_true(file_is_text("a-0", "A1\n1\n"));
    assert_true(file_is_text("b-1", "BBxyz\nxyz\n"));
    assert_int_equal(folder_count("."), 4);
}

static void the_codec_goes_by_each_file_s_name(void **state)
{
    const char *const patterns[] = { "x-%d.gz" };
    struct tsl_err err = { 0 };
    struct tsl_outset_opts o = {
        .patterns = patterns, .nparts = 1, .shards = 2, .by_name = true, .nthreads = 2
    };
    uint64_t next = 0;
    size_t n;
    (void)state;
    assert_ok(run(&o, 100, PUT, "h\n", true, &err), &err);
    uint8_t *p = file_get("x-1.gz", &n);
    assert_int_equal(tsl_codec_sniff(p, n), TSL_CODEC_GZIP);
    free(p);
    assert_int_equal(rows_in("x-0.gz", "h\n", &next), 50);
    assert_int_equal(rows_in("x-1.gz", "h\n", &next), 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_file_takes_all),
        TEST(shards_differ_by_one_row_at_most),
        TEST(shards_have_the_rows_asked_for),
        TEST(shards_are_as_full_as_their_bytes_allow),
        TEST(splits_add_up_and_are_rounded_fairly),
        TEST(names_are_made_by_the_pattern),
        TEST(patterns_that_cannot_work_are_refused_at_once),
        TEST(a_folder_that_is_missing_is_told_before_the_work),
        TEST(nothing_has_its_name_before_commit),
        TEST(all_files_or_none),
        TEST(scarce_descriptors_suffice_for_many_files),
        TEST(parts_go_to_files_of_their_own),
        TEST(the_codec_goes_by_each_file_s_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
