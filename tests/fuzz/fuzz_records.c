/* fuzz_records - arbitrary files are read as records of each format or refused; what can be
 * counted and picked by number is what comes in order.
 *
 *   byte 0     the format
 *   byte 1     bit 0: checksums are put right first; bit 1: they are not compared; bit 2: the
 *              format is told by content
 *   byte 2, 3  the first file's bytes; all others are the second one's */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/endian.h"
#include "base/mem.h"
#include "io/crc32c.h"
#include "record/record.h"
#include "support/recmend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *format, *path, *first, *second;
} kinds[] = {
    { "native", "a.tslrec", "a.tslrec", NULL },
    { "tfrecord", "a.tfrecord", "a.tfrecord", NULL },
    { "mds", "a.mds", "a.mds", NULL },
    { "mds", "d/index.json", "d/index.json", "d/shard.00000.mds" },
    { "megatron", "a.idx", "a.idx", "a.bin" },
    { "npy", "a.npy", "a.npy", NULL },
    { "npy", "s.*.npy", "s.ids.npy", "s.ids.ends.npy" },
    { "llmc", "a.bin", "a.bin", NULL },
    { "datatrove", "a.ds", "a.ds.index", "a.ds" },
    { "webdataset", "a.tar", "a.tar", NULL },
    { "jsonl", "a.jsonl", "a.jsonl", NULL },
    { "u16", "a.bin", "a.bin", NULL },
    { "u32", "a.bin", "a.bin", NULL },
    { "set", "d/manifest.json", "d/manifest.json", "d/part-00000.tslrec" },
};
enum { NKINDS = sizeof kinds / sizeof kinds[0] };

static char folder[] = "/tmp/fuzz_records.XXXXXX";

static void must(bool good)
{
    if (!good)
        abort();
}

/* A file of the folder, for which the working folder stays as it is: the fuzzer has files there.
 */
static const char *in_folder(const char *name)
{
    static char path[2][64];
    static unsigned i;
    char *p = path[i++ % 2];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static void leave(void)
{
    for (size_t i = 0; i < NKINDS; i++) {
        unlink(in_folder(kinds[i].first));
        if (kinds[i].second)
            unlink(in_folder(kinds[i].second));
    }
    rmdir(in_folder("d"));
    rmdir(folder);
}

static void put(const char *name, const uint8_t *p, size_t n)
{
    FILE *f = fopen(in_folder(name), "wb");
    must(f && fwrite(p, 1, n, f) == n);
    fclose(f);
}

/* Checksums of the formats that have them. */
static void mend(const char *format, uint8_t *p, size_t n)
{
    if (strcmp(format, "native") == 0)
        recmend(p, n);
    if (strcmp(format, "tfrecord") == 0)
        for (size_t at = 0; n - at >= 12;) {
            uint64_t len = tsl_load64(p + at);
            tsl_store32(p + at + 8, tsl_crc32c_masked(p + at, 8));
            if (n - at < 16 || len > n - at - 16)
                return;
            tsl_store32(p + at + 12 + len, tsl_crc32c_masked(p + at + 12, (size_t)len));
            at += 16 + (size_t)len;
        }
    if (strcmp(format, "webdataset") == 0)
        for (size_t at = 0; n - at >= 512; at += 512) {
            unsigned sum = 8 * ' ';
            if (memcmp(p + at + 257, "ustar", 5) != 0)
                continue;
            for (size_t i = 0; i < 512; i++)
                sum += i - 148 < 8 ? 0 : p[at + i];
            char text[8];
            snprintf(text, sizeof text, "%06o", sum & 0777777);
            memcpy(p + at + 148, text, 7);
        }
}

/* Touches all of the record; a sum of it. */
static uint64_t sum_of(const struct tsl_schema *s, const struct tsl_record *rec)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s->ncolumns; i++) {
        const struct tsl_column *c = &s->columns[i];
        const struct tsl_value *v = &rec->values[i];
        must(c->count == 0 || v->n == c->count);
        must(tsl_dtype_bytes(c->type) || v->n == 0 || v->lens);
        uint64_t n = tsl_value_bytes(c, v);
        if (n)
            sum = tsl_hash64(v->data, (size_t)n, sum + v->n);
        for (uint32_t k = 0; c->type == TSL_BIT && k < v->n; k++)
            must(((const uint8_t *)v->data)[k] < 2);
        if (v->n && v->lens)
            sum = tsl_hash64(v->lens, 4 * (size_t)v->n, sum);
    }
    return sum;
}

static void told(int rc, const struct tsl_err *err)
{
    must(rc >= 0 || (err->code == rc && err->msg[0] && rc != TSL_ENOMEM));
}

static void read_all(struct tsl_recreader *r)
{
    const struct tsl_schema *s = &tsl_recreader_head(r)->schema;
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    uint64_t sum = 0, n = 0, count = 0;
    int rc;
    while ((rc = tsl_recreader_next(r, &rec, &err)) == 1 && n < 4096) {
        sum += sum_of(s, &rec);
        n++;
    }
    told(rc, &err);
    bool good = rc == 0;
    err = (struct tsl_err){ 0 };
    rc = tsl_recreader_count(r, &count, &err);
    told(rc, &err);
    if (rc < 0)
        return;
    must(!good || count == n);
    for (uint64_t i = count < 1000 ? count : 0; i--;) {
        err = (struct tsl_err){ 0 };
        rc = tsl_recreader_at(r, i, &rec, &err);
        told(rc, &err);
        if (rc < 0 && rc != TSL_EUSAGE)
            must(!good);
        if (rc == TSL_EUSAGE)
            return;
        if (rc >= 0)
            sum -= sum_of(s, &rec);
    }
    must(!good || count >= 1000 || sum == 0);
    err = (struct tsl_err){ 0 };
    must(tsl_recreader_at(r, count, &rec, &err) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool entered;
    struct tsl_recreader *r;
    struct tsl_err err = { 0 };
    struct tsl_schema ids = { 0 };
    if (size < 4 || size > 1 << 18)
        return 0;
    if (!entered) {
        must(mkdtemp(folder) && mkdir(in_folder("d"), 0700) == 0);
        entered = atexit(leave) == 0;
    }
    size_t k = data[0] % NKINDS, n = size - 4, n1 = data[2] | (size_t)data[3] << 8;
    n1 = n1 < n && kinds[k].second ? n1 : n;
    uint8_t *p = malloc(n + 1);
    memcpy(p, data + 4, n);
    if (data[1] & 1)
        mend(kinds[k].format, p, n);
    put(kinds[k].first, p, n1);
    if (kinds[k].second)
        put(kinds[k].second, p + n1, n - n1);
    struct tsl_recreader_opts o = { .memory = 1 << 20, .no_check = data[1] & 2 };
    must(tsl_schema_add(&ids, "ids", TSL_U16, true, 0, NULL, NULL) == 0);
    if (kinds[k].path[2] == '*')
        o.schema = &ids;
    o.format = data[1] & 4 && !o.schema ? NULL : kinds[k].format;
    int rc = tsl_recreader_open(&r, in_folder(kinds[k].path), &o, &err);
    told(rc, &err);
    if (rc == 0) {
        read_all(r);
        tsl_recreader_destroy(r);
    }
    free(p);
    return 0;
}
