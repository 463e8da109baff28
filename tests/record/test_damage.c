#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/record.h"
#include "support/fixture.h"

/* Files of tests/data/formats of each format; the second lies beside the first. */
static const struct {
    const char *format, *path, *second;
    bool checked; /* every changed bit of the second file, or the only one, is noticed */
} files[] = {
    { "tfrecord", "tfrecord/example.tfrecord", NULL, true },
    { "tfrecord", "tfrecord/sequence_example.tfrecord", NULL, true },
    { "mds", "mds/raw_multishard/index.json", "mds/raw_multishard/shard.00000.mds",
      true },
    { "mds", "mds/raw_multishard/shard.00003.mds", NULL, false },
    { "mds", "mds/zstd_hashes/index.json", "mds/zstd_hashes/shard.00000.mds.zstd",
      false },
    { "megatron", "megatron/sample_sentence_u16.bin", "megatron/sample_sentence_u16.idx",
      false },
    { "megatron", "megatron/synthetic_document_i32.bin",
      "megatron/synthetic_document_i32.idx", false },
    { "npy", "npy/i32_2d.npy", NULL, false },
    { "npy", "npy/i64_fortran.npy", NULL, false },
    { "npy", "npy/bool_1d.npy", NULL, false },
    { "llmc", "llmc/gpt2_1000.bin", NULL, false },
    { "webdataset", "webdataset/ustar/bert-000002.tar", NULL, false },
    { "webdataset", "webdataset/longname_pax.tar", NULL, false },
    { "jsonl", "mds/raw_multishard/expect.jsonl", NULL, false },
};
enum { NFILES = sizeof files / sizeof files[0], CUTS = 41, FLIPS = 61 };

static const char *base(const char *path)
{
    return strrchr(path, '/') + 1;
}

/* Reads all; touches each value. */
static int read_all(const char *format, const char *name, uint64_t *nrecords,
                    struct tsl_err *err)
{
    struct tsl_recreader_opts o = { .format = format, .memory = 1 << 20 };
    struct tsl_recreader *r;
    struct tsl_record rec;
    uint64_t sum = 0;
    *nrecords = 0;
    int rc = tsl_recreader_open(&r, name, &o, err);
    if (rc < 0)
        return rc;
    const struct tsl_schema *s = &tsl_recreader_head(r)->schema;
    while ((rc = tsl_recreader_next(r, &rec, err)) == 1) {
        ++*nrecords;
        for (size_t i = 0; i < s->ncolumns; i++) {
            const uint8_t *p = rec.values[i].data;
            for (uint64_t n = tsl_value_bytes(&s->columns[i], &rec.values[i]); n; n--)
                sum += *p++;
        }
    }
    tsl_recreader_destroy(r);
    return rc < 0 || sum != 1 ? rc : 0;
}

/* Puts the files, of a set the first shard alone; their records. */
static uint64_t whole(size_t i)
{
    struct tsl_err err = { 0 };
    char path[128];
    uint64_t nrecords;
    for (int k = 0; k < 2; k++) {
        const char *name = k ? files[i].second : files[i].path;
        size_t n;
        if (!name)
            continue;
        snprintf(path, sizeof path, "formats/%s", name);
        uint8_t *p = fixture_get(path, &n);
        char *second = strstr((char *)p, "}, {\"column_enc");
        if (strstr(name, "index.json") && second) { /* the first shard alone */
            strcpy(second, "}], \"version\": 2}");
            n = strlen((char *)p);
        }
        file_put(base(name), p, n);
        free(p);
    }
    assert_ok(read_all(files[i].format, base(files[i].path), &nrecords, &err), &err);
    assert_true(nrecords > 0);
    return nrecords;
}

static void read_damaged(size_t i, bool must, uint64_t all)
{
    struct tsl_err err = { 0 };
    uint64_t n;
    int rc = read_all(files[i].format, base(files[i].path), &n, &err);
    if (rc == 0 && must)
        fail_msg("%s: damage was not noticed", files[i].path);
    assert_true(rc == 0 || (err.code == rc && err.msg[0] && rc != TSL_ENOMEM));
    assert_true(rc < 0 || n <= all || strcmp(files[i].format, "jsonl") == 0 ||
                strcmp(files[i].format, "npy") == 0);
}

static void files_cut_short_are_told_or_have_fewer_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < NFILES; i++) {
        const char *name = base(files[i].second ? files[i].second : files[i].path);
        uint64_t all = whole(i);
        size_t n;
        uint8_t *p = file_get(name, &n);
        bool stops = strcmp(files[i].format, "tfrecord") == 0 || /* between records */
                     strcmp(files[i].format, "webdataset") == 0 ||
                     strcmp(files[i].format, "jsonl") == 0;
        for (size_t k = 0; k < CUTS; k++) {
            file_put(name, p, n * k / CUTS);
            read_damaged(i, !stops, all);
        }
        free(p);
    }
}

static void changed_bits_do_no_harm_and_checksums_find_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < NFILES; i++) {
        whole(i);
        for (int k = 0; k < 2; k++) {
            const char *path = k ? files[i].second : files[i].path;
            size_t n;
            if (!path)
                continue;
            uint8_t *p = file_get(base(path), &n);
            /* all of the front, where the lengths are */
            size_t front = n < 40 ? n : 40;
            for (size_t f = 0; f < front + FLIPS; f++) {
                size_t at = f < front ? f : (f - front) * n / FLIPS;
                uint8_t bit = (uint8_t)(1 << (f * 5 % 8));
                p[at] ^= bit;
                file_put(base(path), p, n);
                read_damaged(i, files[i].checked && (k || !files[i].second), UINT64_MAX);
                p[at] ^= bit;
            }
            file_put(base(path), p, n);
            free(p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_cut_short_are_told_or_have_fewer_records),
        TEST(changed_bits_do_no_harm_and_checksums_find_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
