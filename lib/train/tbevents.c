#include "train/tbevents.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "io/crc32c.h"
#include "io/outfile.h"

enum { HEAD = 12, TAIL = 4, EVENT_MAX = 16 << 20 };
enum {
    WALL_TIME = 1,
    STEP = 2,
    FILE_VERSION = 3,
    SUMMARY = 5,
    VALUE = 1,
    TAG = 1,
    SIMPLE_VALUE = 2
};

static struct tsl_slice bytes_of(const struct tsl_protobuf_out *w)
{
    return (struct tsl_slice){ w->bytes, w->len };
}

static struct tsl_slice text(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

void tsl_tbevents_name(char *to, size_t bytes, double wall, const char *host)
{
    uint64_t seconds = wall > 0 && wall < 1e15 ? (uint64_t)wall : 0;
    int n = snprintf(to, bytes, "events.out.tfevents.%010" PRIu64 ".", seconds);
    for (size_t i = (size_t)n; *host && i + 1 < bytes; i++, host++) {
        bool plain = (*host >= 'a' && *host <= 'z') || (*host >= 'A' && *host <= 'Z') ||
                     (*host >= '0' && *host <= '9') || strchr(".-_", *host);
        to[i] = plain ? *host : '_';
        to[i + 1] = '\0';
    }
}

/* The event as a record, to f at once. */
static int write_record(struct tsl_tbevents *t, struct tsl_file *f, struct tsl_err *err)
{
    size_t n = t->event.len;
    int rc = tsl_protobuf_end(&t->event, err);
    if (rc == 0)
        rc = tsl_mem_grow(&t->record.bytes, &t->record.cap, HEAD + n + TAIL, 1,
                          "an event", err);
    if (rc < 0)
        return rc;
    uint8_t *to = t->record.bytes;
    tsl_store64(to, n);
    tsl_store32(to + 8, tsl_crc32c_masked(to, 8));
    memcpy(to + HEAD, t->event.bytes, n);
    tsl_store32(to + HEAD + n, tsl_crc32c_masked(to + HEAD, n));
    return tsl_file_write(f, to, HEAD + n + TAIL, err);
}

static int write_version(struct tsl_tbevents *t, struct tsl_file *f, double wall,
                         struct tsl_err *err)
{
    t->event.len = 0;
    tsl_protobuf_put_double(&t->event, WALL_TIME, wall);
    tsl_protobuf_put_bytes(&t->event, FILE_VERSION, text("brain.Event:2"));
    return write_record(t, f, err);
}

/* ---- going on ---- */

/* All n bytes: 1; 0: the file ends before. */
static int read_bytes(struct tsl_file *f, uint8_t *to, size_t n, struct tsl_err *err)
{
    while (n > 0) {
        int64_t k = tsl_file_read(f, to, n, err);
        if (k <= 0)
            return (int)k;
        to += k;
        n -= (size_t)k;
    }
    return 1;
}

/* The next record into t->event: 1; 0 where no good one follows. */
static int read_record(struct tsl_tbevents *t, struct tsl_file *f, struct tsl_err *err)
{
    uint8_t head[HEAD];
    int rc = read_bytes(f, head, HEAD, err);
    uint64_t n = rc == 1 ? tsl_load64(head) : 0;
    if (rc < 1 || tsl_crc32c_masked(head, 8) != tsl_load32(head + 8) || n > EVENT_MAX)
        return rc < 0 ? rc : 0;
    rc = tsl_mem_grow(&t->event.bytes, &t->event.cap, (size_t)n + TAIL, 1, "an event",
                      err);
    if (rc == 0)
        rc = read_bytes(f, t->event.bytes, (size_t)n + TAIL, err);
    t->event.len = (size_t)n;
    if (rc == 1 &&
        tsl_crc32c_masked(t->event.bytes, (size_t)n) != tsl_load32(t->event.bytes + n))
        rc = 0;
    return rc;
}

/* The step of t->event; false: it is no event. */
static bool step_of(const struct tsl_tbevents *t, uint64_t *step)
{
    struct tsl_protobuf r;
    struct tsl_protobuf_field f;
    int rc;
    *step = 0;
    tsl_protobuf_init(&r, bytes_of(&t->event), 0, "an event");
    while ((rc = tsl_protobuf_next(&r, &f, NULL)) == 1)
        if (f.number == STEP && f.wire == TSL_PROTOBUF_VARINT)
            *step = f.value;
    return rc == 0;
}

static int copy_records(struct tsl_tbevents *t, struct tsl_file *to, const char *path,
                        uint64_t step, uint64_t *ncopied, struct tsl_err *err)
{
    struct tsl_file f;
    uint64_t at;
    int rc = tsl_file_open(&f, path, err);
    *ncopied = 0;
    while (rc == 0 && (rc = read_record(t, &f, err)) == 1 && step_of(t, &at)) {
        rc = at <= step ? write_record(t, to, err) : 0;
        *ncopied += at <= step;
    }
    tsl_file_close(&f, NULL);
    return rc < 0 ? rc : 0;
}

int tsl_tbevents_open(struct tsl_tbevents *t, const char *path, bool resume,
                      uint64_t step, double wall, struct tsl_err *err)
{
    struct tsl_outfile o;
    uint64_t ncopied = 0;
    *t = (struct tsl_tbevents){ .file = TSL_FILE_INIT };
    int rc = tsl_outfile_open(&o, path, false, err);
    if (rc < 0)
        return rc;
    o.file.nodrop = true;
    if (resume && tsl_file_exists(path))
        rc = copy_records(t, &o.file, path, step, &ncopied, err);
    if (rc == 0 && ncopied == 0)
        rc = write_version(t, &o.file, wall, err);
    if (rc == 0)
        rc = tsl_outfile_done(&o, err);
    if (rc == 0)
        rc = tsl_outfile_commit(&o, err);
    tsl_outfile_close(&o);
    if (rc == 0)
        rc = tsl_file_append(&t->file, path, err);
    if (rc < 0)
        tsl_tbevents_close(t, NULL);
    return rc;
}

int tsl_tbevents_put(struct tsl_tbevents *t, uint64_t step, double wall,
                     const struct tsl_metric *values, size_t n, struct tsl_err *err)
{
    t->event.len = t->summary.len = 0;
    for (size_t i = 0; i < n; i++) {
        t->value.len = 0;
        tsl_protobuf_put_bytes(&t->value, TAG, text(values[i].name));
        tsl_protobuf_put_float(&t->value, SIMPLE_VALUE, (float)values[i].value);
        tsl_protobuf_put_bytes(&t->summary, VALUE, bytes_of(&t->value));
        t->summary.failed |= t->value.failed;
    }
    tsl_protobuf_put_double(&t->event, WALL_TIME, wall);
    tsl_protobuf_put_int(&t->event, STEP, (int64_t)step);
    tsl_protobuf_put_bytes(&t->event, SUMMARY, bytes_of(&t->summary));
    t->event.failed |= t->summary.failed;
    return write_record(t, &t->file, err);
}

int tsl_tbevents_close(struct tsl_tbevents *t, struct tsl_err *err)
{
    int rc = tsl_file_close(&t->file, err);
    tsl_protobuf_fini(&t->event);
    tsl_protobuf_fini(&t->summary);
    tsl_protobuf_fini(&t->value);
    tsl_protobuf_fini(&t->record);
    *t = (struct tsl_tbevents){ .file = TSL_FILE_INIT };
    return rc;
}
