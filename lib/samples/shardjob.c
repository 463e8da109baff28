#include "samples/shardjob.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/quote.h"
#include "io/writebehind.h"
#include "par/pool.h"

struct job {
    const struct tsl_shardjob_opts *o;
    struct tsl_recreader_opts reader;
    struct tsl_recreader *in; /* the input that is open */
    size_t next_path;
    struct tsl_rechead head; /* of the first input */
    struct tsl_samplemap *map;
    uint64_t records; /* of all inputs; UINT64_MAX: they do not tell */
    uint64_t number;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int open_next(struct job *j, struct tsl_err *err)
{
    const char *path = j->o->paths[j->next_path];
    int rc = tsl_recreader_open(&j->in, path, &j->reader, err);
    if (rc < 0)
        return rc;
    j->next_path++;
    const struct tsl_rechead *h = tsl_recreader_head(j->in);
    if (j->next_path == 1)
        return tsl_rechead_copy(&j->head, h, err);
    if (!tsl_schema_equal(&h->schema, &j->head.schema))
        return tsl_err_set(err, TSL_EUSAGE, "%s: its columns are not those of %s",
                           tsl_quote(path).s, tsl_quote(j->o->paths[0]).s);
    if (strcmp(h->meta ? h->meta : "{}", j->head.meta ? j->head.meta : "{}") != 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: it was not made as %s was (another vocabulary, objective "
                           "or seed): their meta differ",
                           tsl_quote(path).s, tsl_quote(j->o->paths[0]).s);
    return 0;
}

/* The records of one input: what its index says, else, if it must be known, by reading it;
 * UINT64_MAX: it cannot be told without using it up. */
static int count_one(const struct job *j, const char *path, bool must, uint64_t *n,
                     struct tsl_err *err)
{
    struct tsl_recreader *r;
    struct tsl_record rec;
    *n = UINT64_MAX;
    if (strcmp(path, "-") == 0 || tsl_file_is_fifo(path))
        return 0;
    int rc = tsl_recreader_open(&r, path, &j->reader, err);
    if (rc < 0)
        return rc;
    struct tsl_err why = { 0 };
    rc = tsl_recreader_count(r, n, &why);
    if (rc < 0 && rc != TSL_EUSAGE) { /* it can tell, but could not be read */
        (void)tsl_err_pass(err, &why);
    } else if (rc < 0) {
        rc = 0;
        *n = UINT64_MAX;
        for (uint64_t k = 0; must; k++) {
            rc = tsl_recreader_next(r, &rec, err);
            if (rc == 1)
                continue;
            *n = k;
            break;
        }
    }
    tsl_recreader_destroy(r);
    return rc;
}

/* How many records there are in all. */
static int measure(struct job *j, struct tsl_err *err)
{
    bool must = j->o->set.shards && !j->o->set.round_robin;
    j->records = 0;
    for (size_t i = 0; i < j->o->npaths && j->records != UINT64_MAX; i++) {
        uint64_t n;
        int rc = count_one(j, j->o->paths[i], must, &n, err);
        if (rc < 0)
            return rc;
        j->records = n == UINT64_MAX ? n : j->records + n;
    }
    return 0;
}

/* 1 and the next record of all inputs, 0 at their end. */
static int next(struct job *j, struct tsl_record *rec, struct tsl_err *err)
{
    for (;;) {
        if (!j->in) {
            if (j->next_path == j->o->npaths)
                return 0;
            int rc = open_next(j, err);
            if (rc < 0)
                return rc;
        }
        int rc = tsl_recreader_next(j->in, rec, err);
        if (rc == 1)
            rec->number = j->head.first + j->number++;
        if (rc)
            return rc;
        tsl_recreader_destroy(j->in);
        j->in = NULL;
    }
}

/* 1 and the next records of all inputs that lie together, perhaps none of them; 0 where next is
 * to be asked. */
static int next_rows(struct job *j, struct tsl_recrows *rows, struct tsl_err *err)
{
    rows->n = 0;
    if (!j->in)
        return 0;
    int rc = tsl_recreader_rows(j->in, rows, err);
    rows->first = j->head.first + j->number;
    j->number += rows->n;
    return rc < 0 ? rc : rows->n > 0;
}

/* Goes on behind n records: in one step where the first input can. */
static int skip(struct job *j, uint64_t n, struct tsl_err *err)
{
    struct tsl_record rec;
    uint64_t here;
    if (n && j->o->npaths == 1 && tsl_recreader_count(j->in, &here, NULL) == 0 &&
        n <= here) {
        int rc = tsl_recreader_at(j->in, n - 1, &rec, err);
        j->number = n;
        return rc < 0 ? rc : 0;
    }
    while (j->number < n) {
        int rc = next(j, &rec, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return tsl_err_set(
                err, TSL_EUSAGE,
                "the inputs have %" PRIu64 " records; whole shards hold %" PRIu64
                " already: these are not the inputs of the run that was begun",
                j->number, n);
    }
    return 0;
}

/* What the set depends on beside its records. */
static char *describe(const struct job *j, struct tsl_err *err)
{
    struct tsl_json w = { 0 };
    tsl_json_open(&w, NULL, '{');
    tsl_json_open(&w, "inputs", '[');
    for (size_t i = 0; i < j->o->npaths; i++)
        tsl_json_str(&w, NULL, j->o->paths[i]);
    tsl_json_close(&w, ']');
    if (j->records != UINT64_MAX)
        tsl_json_u64(&w, "records", j->records);
    if (j->o->job)
        tsl_json_raw(&w, "options",
                     (struct tsl_slice){ (const uint8_t *)j->o->job, strlen(j->o->job) });
    tsl_json_close(&w, '}');
    int rc = tsl_json_end(&w, err);
    if (rc < 0) {
        tsl_json_fini(&w);
        return NULL;
    }
    return w.text;
}

static void begin(struct job *j, const struct tsl_shardjob_opts *o)
{
    uint64_t memory = o->memory ? o->memory : 64 << 20;
    *j = (struct job){ .o = o };
    j->reader = (struct tsl_recreader_opts){ .format = o->input_format,
                                             .memory = memory / 3,
                                             .progress = o->progress };
}

static void count_in(const struct job *j, uint64_t rows)
{
    if (j->o->progress)
        atomic_store_explicit(&j->o->progress->rows_in, rows, memory_order_relaxed);
}

static void sum_up(struct tsl_shardjob_stats *st, const struct tsl_manifest *m)
{
    st->records = m->records;
    st->shards = m->nshards;
    for (size_t i = 0; i < m->nshards; i++)
        for (size_t f = 0; f < m->shards[i].nfiles; f++, st->files++)
            st->bytes_out += m->shards[i].files[f].bytes;
}

static int put_all(struct job *j, struct tsl_shardset *set, struct tsl_err *err)
{
    struct tsl_recrows rows;
    struct tsl_record rec, made;
    int rc;
    for (;;) {
        while (!j->map && (rc = next_rows(j, &rows, err)) != 0) {
            if (rc == 1)
                rc = tsl_shardset_put_rows(set, &rows, err);
            if (rc < 0)
                return rc;
            count_in(j, j->number);
        }
        rc = next(j, &rec, err);
        if (rc <= 0)
            return rc;
        made = rec;
        rc = j->map ? tsl_samplemap_apply(j->map, &rec, &made, err) : 0;
        if (rc == 0)
            rc = tsl_shardset_put(set, &made, err);
        if (rc < 0)
            return rc;
        if ((j->number & 1023) == 0)
            count_in(j, j->number);
    }
}

int tsl_shardjob_run(const struct tsl_shardjob_opts *o, struct tsl_shardjob_stats *st,
                     struct tsl_err *err)
{
    struct job j;
    struct tsl_shardset *set = NULL;
    struct tsl_shardset_opts so = o->set;
    struct tsl_rechelp *help = &so.writer.help;
    double start = now();
    char *text = NULL;
    *st = (struct tsl_shardjob_stats){ 0 };
    begin(&j, o);
    int rc = measure(&j, err);
    if (rc == 0)
        rc = open_next(&j, err);
    if (rc == 0)
        rc = (text = describe(&j, err)) ? 0 : TSL_ENOMEM;
    if (rc == 0) {
        so.records = j.records;
        so.job = text;
        so.writer.memory = (o->memory ? o->memory : 64 << 20) / 3 * 2;
        rc = tsl_writebehind_create(&help->behind, err);
        if (rc == 0 && o->nthreads > 1)
            rc = tsl_pool_create(&help->pool, o->nthreads, err);
        if (rc == 0 && o->map)
            rc = tsl_samplemap_create(&j.map, &j.head, o->paths[0], o->map, err);
    }
    if (rc == 0)
        rc = tsl_shardset_create(&set, j.map ? tsl_samplemap_head(j.map) : &j.head, &so,
                                 err);
    if (rc == 0) {
        st->resumed = tsl_shardset_resumed(set);
        rc = skip(&j, st->resumed, err);
    }
    if (rc == 0)
        rc = put_all(&j, set, err);
    if (rc == 0 && j.records != UINT64_MAX && j.number != j.records)
        rc = tsl_err_set(err, TSL_EVERIFY,
                         "%" PRIu64 " records came; the inputs told of %" PRIu64,
                         j.number, j.records);
    if (rc == 0)
        rc = tsl_shardset_finish(set, err);
    if (rc == 0)
        sum_up(st, tsl_shardset_manifest(set));
    st->seconds = now() - start;
    tsl_shardset_destroy(set);
    tsl_writebehind_destroy(help->behind);
    tsl_pool_destroy(help->pool);
    tsl_recreader_destroy(j.in);
    tsl_samplemap_destroy(j.map);
    tsl_rechead_fini(&j.head);
    tsl_mem_free(text);
    return rc;
}
