#include "io/outset.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"
#include "io/progress.h"

/* Descriptors left for everything else: standard ones, inputs, temporary files,
 * libraries. */
enum { DESCRIPTORS_SPARED = 24 };

struct tsl_outset {
    struct tsl_outset_opts o;
    struct tsl_pool *pool;
    uint64_t *split_rows; /* planned, then counted down; [nsplits or 1] */
    uint64_t *split_done;
    size_t nsplits;
    const uint8_t *const *header;
    const size_t *header_len;
    /* where we are */
    size_t split;
    uint64_t shard, shard_left; /* number within the split; rows still to come */
    uint64_t shard_rows_now;    /* rows in it so far */
    uint64_t file_bytes;        /* of part 0, without the header */
    bool open, begun;
    struct tsl_sink *sinks;  /* of the current files; nparts */
    struct tsl_sink *closed; /* done, not committed */
    size_t nclosed, closed_cap;
    unsigned descriptors;
    uint64_t files, bytes;
};

static bool sharded(const struct tsl_outset_opts *o)
{
    return o->shards || o->shard_rows || o->shard_bytes;
}

bool tsl_outset_divides(const struct tsl_outset *s)
{
    return sharded(&s->o) || s->o.nsplits > 0;
}

/* One pass over a pattern.  Writes the name to out (cap bytes); returns its length, or -1
 * when the pattern is malformed.  *numbers, *names: how many of each it holds. */
static int expand(const char *pattern, const char *name, uint64_t number, char *out,
                  size_t cap, unsigned *numbers, unsigned *names)
{
    size_t n = 0;
    *numbers = *names = 0;
#define PUT(...)                                                                         \
    do {                                                                                 \
        int k_ = snprintf(n < cap ? out + n : NULL, n < cap ? cap - n : 0, __VA_ARGS__); \
        n += k_ > 0 ? (size_t)k_ : 0;                                                    \
    } while (0)
    for (const char *p = pattern; *p; p++) {
        if (*p != '%') {
            PUT("%c", *p);
            continue;
        }
        p++;
        int width = 0;
        bool zero = *p == '0';
        const char *digits = p;
        for (; *p >= '0' && *p <= '9' && width < 20; p++)
            width = width * 10 + (*p - '0');
        if (*p == '%' && p == digits) {
            PUT("%%");
        } else if (*p == 'd' && width <= 20) {
            ++*numbers;
            if (zero)
                PUT("%0*" PRIu64, width, number);
            else
                PUT("%*" PRIu64, width, number);
        } else if (*p == 's' && p == digits) {
            ++*names;
            PUT("%s", name);
        } else {
            return -1;
        }
    }
#undef PUT
    return n < INT32_MAX ? (int)n : -1;
}

/* Where "-00000" goes: in front of the base name's first dot, a leading one aside. */
static size_t stem_len(const char *path)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    const char *dot = *base ? strchr(base + 1, '.') : NULL;
    return dot ? (size_t)(dot - path) : strlen(path);
}

static char *file_name(const struct tsl_outset *s, size_t part, uint64_t shard,
                       struct tsl_err *err)
{
    const struct tsl_outset_opts *o = &s->o;
    const char *name = o->nsplits ? o->splits[s->split].name : "";
    const char *pattern = o->patterns ? o->patterns[part] : name;
    unsigned numbers, names;
    bool literal = !tsl_outset_divides(s); /* a plain -o takes any name, % included */
    if (literal)
        return tsl_mem_strdup(pattern, err);
    if (!o->patterns) { /* a split's name is the file's name */
        numbers = 0;
        names = 1;
        literal = true;
    }
    int n = literal ? (int)strlen(pattern)
                    : expand(pattern, name, shard, NULL, 0, &numbers, &names);
    size_t cap = (size_t)n + strlen(name) + 40;
    char *out = n < 0 ? NULL : tsl_mem_alloc(cap, 1, "a file name", err);
    if (!out)
        return NULL;
    if (literal)
        snprintf(out, cap, "%s", pattern);
    else
        expand(pattern, name, shard, out, cap, &numbers, &names);
    bool add_name = o->nsplits && !names, add_number = sharded(o) && !numbers;
    if (add_name || add_number) {
        char mark[32] = "";
        size_t stem = stem_len(out);
        if (add_number)
            snprintf(mark, sizeof mark, "-%05" PRIu64, shard);
        char *full = tsl_mem_alloc(cap, 1, "a file name", err);
        if (full)
            snprintf(full, cap, "%.*s%s%s%s%s", (int)stem, out, add_name ? "." : "",
                     add_name ? name : "", mark, out + stem);
        tsl_mem_free(out);
        out = full;
    }
    return out;
}

int tsl_outset_create(struct tsl_outset **out, const struct tsl_outset_opts *o,
                      struct tsl_err *err)
{
    struct tsl_outset *s = tsl_mem_alloc(1, sizeof *s, "the outputs", err);
    int rc = TSL_ENOMEM;
    if (!s)
        return rc;
    s->o = *o;
    s->nsplits = o->nsplits ? o->nsplits : 1;
    unsigned room = tsl_file_room();
    s->descriptors = room > DESCRIPTORS_SPARED ? room - DESCRIPTORS_SPARED : 0;
    s->sinks = tsl_mem_alloc(o->nparts, sizeof *s->sinks, "the outputs", err);
    s->split_rows = tsl_mem_alloc(s->nsplits, sizeof *s->split_rows, "the outputs", err);
    s->split_done = tsl_mem_alloc(s->nsplits, sizeof *s->split_done, "the outputs", err);
    for (size_t p = 0; s->sinks && p < o->nparts; p++)
        s->sinks[p].out.file = (struct tsl_file)TSL_FILE_INIT;
    if (!s->sinks || !s->split_rows || !s->split_done)
        goto fail;
    rc = TSL_EUSAGE;
    if (!o->patterns && ((sharded(o) && !o->nsplits) || o->nparts > 1)) {
        tsl_err_set(err, TSL_EUSAGE,
                    "several output files need a name: -o 'part-%%05d.txt'");
        goto fail;
    }
    for (size_t p = 0; p < o->nparts && o->patterns && tsl_outset_divides(s); p++) {
        unsigned numbers, names;
        const char *pat = o->patterns[p];
        if (expand(pat, "", 0, NULL, 0, &numbers, &names) < 0) {
            tsl_err_set(err, TSL_EUSAGE,
                        "%s: a pattern knows %%d (or %%05d), %%s and %%%% only",
                        tsl_quote(pat).s);
            goto fail;
        }
        if ((numbers && !sharded(o)) || (names && !o->nsplits)) {
            tsl_err_set(err, TSL_EUSAGE, "%s: %s", tsl_quote(pat).s,
                        numbers && !sharded(o)
                            ? "%d needs --shards, --shard-rows or --shard-bytes"
                            : "%s needs --split");
            goto fail;
        }
    }
    rc = 0;
    for (s->split = 0; s->split < s->nsplits && (o->patterns || o->nsplits) && rc == 0;
         s->split++)
        for (size_t p = 0; p < o->nparts && rc == 0; p++) {
            char *name = file_name(s, p, 0, err);
            rc = name ? tsl_outfile_check(name, err) : TSL_ENOMEM;
            tsl_mem_free(name);
        }
    s->split = 0;
    if (rc < 0)
        goto fail;
    if (o->nthreads > 1) {
        rc = tsl_pool_create(&s->pool, o->nthreads, err);
        if (rc < 0)
            goto fail;
    }
    *out = s;
    return 0;
fail:
    tsl_outset_destroy(s);
    return rc;
}

void tsl_outset_destroy(struct tsl_outset *s)
{
    if (!s)
        return;
    for (size_t p = 0; s->sinks && p < s->o.nparts; p++)
        tsl_sink_close(&s->sinks[p]);
    for (size_t i = 0; i < s->nclosed; i++)
        tsl_sink_close(&s->closed[i]);
    tsl_pool_destroy(s->pool);
    tsl_mem_free(s->closed);
    tsl_mem_free(s->sinks);
    tsl_mem_free(s->split_rows);
    tsl_mem_free(s->split_done);
    tsl_mem_free(s);
}

/* Rows of each split: shares of the whole, rounded so that they add up; what rounding
 * leaves over goes to the largest remainders, the first of equals first. */
static void divide(struct tsl_outset *s, uint64_t nrows)
{
    const struct tsl_outset_opts *o = &s->o;
    uint64_t left = nrows;
    if (!o->nsplits || nrows == UINT64_MAX) {
        s->split_rows[0] = nrows;
        return;
    }
    for (size_t i = 0; i < o->nsplits; i++) {
        long double want = (long double)nrows * o->splits[i].share;
        uint64_t k = (uint64_t)want;
        s->split_rows[i] = k < left ? k : left;
        left -= s->split_rows[i];
    }
    while (left > 0) {
        size_t best = 0;
        long double most = -1e30L;
        for (size_t i = 0; i < o->nsplits; i++) {
            long double lack =
                (long double)nrows * o->splits[i].share - (long double)s->split_rows[i];
            if (lack > most) {
                most = lack;
                best = i;
            }
        }
        s->split_rows[best]++;
        left--;
    }
}

/* Rows of shard number i when nrows are dealt to n shards, the first ones one more. */
static uint64_t shard_size(uint64_t nrows, uint64_t n, uint64_t i)
{
    return nrows / n + (i < nrows % n);
}

static int open_files(struct tsl_outset *s, struct tsl_err *err)
{
    const struct tsl_outset_opts *o = &s->o;
    for (size_t p = 0; p < o->nparts; p++) {
        char *name = o->patterns || o->nsplits ? file_name(s, p, s->shard, err) : NULL;
        if (!name && (o->patterns || o->nsplits))
            return TSL_ENOMEM;
        struct tsl_sink_opts so = { o->codec, o->level, s->pool, o->nthreads };
        if (so.nthreads == 0)
            so.nthreads = 1;
        if (o->by_name)
            so.codec = name ? tsl_codec_by_name(name) : TSL_CODEC_NONE;
        bool named = s->nclosed + o->nparts > s->descriptors;
        int rc = tsl_sink_open(&s->sinks[p], name, named, &so, err);
        if (rc == 0)
            tsl_sink_widen(&s->sinks[p], s->o.buffer_bytes);
        tsl_mem_free(name);
        if (rc == 0 && s->header && s->header_len[p])
            rc = tsl_sink_write(&s->sinks[p], s->header[p], s->header_len[p], err);
        if (rc < 0)
            return rc;
    }
    s->open = true;
    s->files += o->nparts;
    s->shard_rows_now = 0;
    s->file_bytes = 0;
    uint64_t left = s->split_rows[s->split] - s->split_done[s->split];
    s->shard_left = left;
    if (o->shards && s->split_rows[s->split] != UINT64_MAX)
        s->shard_left = shard_size(s->split_rows[s->split], o->shards, s->shard);
    else if (o->shard_rows && o->shard_rows < left)
        s->shard_left = o->shard_rows;
    return 0;
}

static int close_files(struct tsl_outset *s, struct tsl_err *err)
{
    const struct tsl_outset_opts *o = &s->o;
    int rc = tsl_mem_grow(&s->closed, &s->closed_cap, s->nclosed + o->nparts,
                          sizeof *s->closed, "the outputs", err);
    for (size_t p = 0; p < o->nparts && rc == 0; p++) {
        rc = tsl_sink_done(&s->sinks[p], err);
        if (rc == 0) {
            s->bytes += s->sinks[p].bytes;
            s->closed[s->nclosed++] = s->sinks[p];
            s->sinks[p] = (struct tsl_sink){ .out = { .file = TSL_FILE_INIT } };
        }
    }
    s->open = false;
    return rc;
}

/* Opens the current split's next files, unless they would be an empty shard. */
static int next_files(struct tsl_outset *s, struct tsl_err *err)
{
    s->shard_left = 0;
    if (sharded(&s->o) && s->split_done[s->split] == s->split_rows[s->split])
        return 0;
    return open_files(s, err);
}

int tsl_outset_begin(struct tsl_outset *s, uint64_t nrows, const uint8_t *const *header,
                     const size_t *header_len, struct tsl_err *err)
{
    s->header = header;
    s->header_len = header_len;
    s->begun = true;
    divide(s, nrows);
    return next_files(s, err);
}

int tsl_outset_turn(struct tsl_outset *s, struct tsl_err *err)
{
    int rc = close_files(s, err);
    if (rc < 0)
        return rc;
    s->shard++;
    return open_files(s, err);
}

int tsl_outset_room(struct tsl_outset *s, uint64_t *rows, uint64_t *bytes,
                    struct tsl_err *err)
{
    while (s->shard_left == 0) {
        int rc = s->open ? close_files(s, err) : 0;
        if (rc < 0)
            return rc;
        if (s->split_done[s->split] == s->split_rows[s->split]) {
            s->split++;
            s->shard = 0;
            assert(s->split < s->nsplits);
        } else {
            s->shard++;
        }
        rc = next_files(s, err);
        if (rc < 0)
            return rc;
    }
    *rows = s->shard_left;
    *bytes = UINT64_MAX;
    if (s->o.shard_bytes)
        *bytes = s->file_bytes < s->o.shard_bytes ? s->o.shard_bytes - s->file_bytes : 0;
    return 0;
}

int tsl_outset_write(struct tsl_outset *s, size_t part, const uint8_t *p, size_t n,
                     struct tsl_err *err)
{
    if (part == 0)
        s->file_bytes += n;
    if (s->o.progress)
        atomic_fetch_add_explicit(&s->o.progress->bytes_out, n, memory_order_relaxed);
    return tsl_sink_write(&s->sinks[part], p, n, err);
}

void tsl_outset_count(struct tsl_outset *s, uint64_t rows)
{
    assert(rows <= s->shard_left);
    if (s->shard_left != UINT64_MAX)
        s->shard_left -= rows;
    s->split_done[s->split] += rows;
    s->shard_rows_now += rows;
    if (s->o.progress)
        atomic_fetch_add_explicit(&s->o.progress->rows_out, rows, memory_order_relaxed);
}

int tsl_outset_put(struct tsl_outset *s, const uint8_t *p, const uint32_t *ends, size_t n,
                   struct tsl_err *err)
{
    for (size_t from = 0; from < n;) {
        uint64_t rows, bytes;
        int rc = tsl_outset_room(s, &rows, &bytes, err);
        if (rc < 0)
            return rc;
        size_t start = from ? ends[from - 1] : 0,
               to = n - from > rows ? from + (size_t)rows : n;
        if (bytes != UINT64_MAX) {
            size_t fit = from;
            while (fit < to && ends[fit] - start <= bytes)
                fit++;
            if (fit == from && s->shard_rows_now > 0) {
                rc = tsl_outset_turn(s, err);
                if (rc < 0)
                    return rc;
                continue;
            }
            to = fit > from ? fit : from + 1;
        }
        rc = tsl_outset_write(s, 0, p + start, ends[to - 1] - start, err);
        if (rc < 0)
            return rc;
        tsl_outset_count(s, to - from);
        from = to;
    }
    return 0;
}

int tsl_outset_commit(struct tsl_outset *s, struct tsl_err *err)
{
    int rc = s->open ? close_files(s, err) : 0;
    /* splits that got no row still have their (empty) file */
    while (rc == 0 && s->begun && s->split + 1 < s->nsplits) {
        s->split++;
        s->shard = 0;
        rc = next_files(s, err);
        if (rc == 0 && s->open)
            rc = close_files(s, err);
    }
    tsl_outfile_hold_signals(true);
    for (size_t i = 0; i < s->nclosed && rc == 0; i++)
        rc = tsl_outfile_name(&s->closed[i].out, err);
    const char *synced = NULL;
    for (size_t i = 0; i < s->nclosed && rc == 0; i++) {
        const struct tsl_outfile *out = &s->closed[i].out;
        if (!synced || !out->dir || strcmp(out->dir, synced) != 0)
            rc = tsl_outfile_sync_dir(out, err);
        synced = out->dir;
    }
    for (size_t i = 0; i < s->nclosed && rc == 0; i++)
        rc = tsl_file_close(&s->closed[i].out.file, err);
    for (size_t i = 0; i < s->nclosed && rc < 0; i++)
        tsl_outfile_undo(&s->closed[i].out);
    tsl_outfile_hold_signals(false);
    return rc;
}

bool tsl_outset_packs(const struct tsl_outset *s)
{
    bool packs = !s->o.by_name && s->o.codec != TSL_CODEC_NONE;
    for (size_t p = 0; s->o.by_name && s->o.patterns && p < s->o.nparts; p++)
        packs |= tsl_codec_by_name(s->o.patterns[p]) != TSL_CODEC_NONE;
    for (size_t i = 0; s->o.by_name && !s->o.patterns && i < s->o.nsplits; i++)
        packs |= tsl_codec_by_name(s->o.splits[i].name) != TSL_CODEC_NONE;
    return packs;
}

uint64_t tsl_outset_files(const struct tsl_outset *s)
{
    return s->files;
}

uint64_t tsl_outset_bytes(const struct tsl_outset *s)
{
    return s->bytes;
}

uint64_t tsl_outset_split_rows(const struct tsl_outset *s, size_t split)
{
    return s->split_done[split];
}
