#include "shuf/shufrepeat.h"

#include <stdlib.h>
#include <string.h>

#include "base/key.h"
#include "base/mem.h"
#include "io/rowstream.h"
#include "shuf/bigrow.h"
#include "shuf/rowblock.h"

enum { ROUND_MIN = 64, IMAGE_MIN = 64 << 10 };

struct draw {
    uint64_t row;
    uint32_t order;
};

/* Where a drawn row's bytes are in the round's image; a long row is streamed instead. */
struct placed {
    uint32_t at, len;
    uint64_t big; /* id + 1; 0: none */
};

struct repeat_job {
    const struct tsl_shufjob_opts *o;
    struct tsl_shufplan plan;
    struct tsl_store *store;
    struct tsl_bigrows bigs;
    struct tsl_blocklist blocks;
    struct tsl_rowwriter writer;
    struct tsl_rowstream rows;
    struct tsl_outset *out;
    uint64_t *starts; /* first row of each block; [blocks.n] is the number of rows */
    size_t starts_cap;
    uint64_t nrows, nbytes;
    size_t ndraws; /* of a full round */
    uint8_t *image, *scratch, *framed;
    size_t image_bytes, framed_bytes;
    struct draw *draws;
    struct placed *placed;
};

static int end_block(struct repeat_job *j, struct tsl_err *err)
{
    uint8_t *chunk = j->writer.chunk;
    if (!chunk)
        return 0;
    tsl_rowwriter_end(&j->writer, (uint32_t)j->plan.chunk_bytes);
    return tsl_store_put(j->store, &j->blocks, chunk, err);
}

/* Room for one more row of n bytes. */
static int need(struct repeat_job *j, size_t n, uint64_t addr, struct tsl_err *err)
{
    if (j->writer.chunk && tsl_rowwriter_fits(&j->writer, n))
        return 0;
    int rc = end_block(j, err);
    if (rc == 0)
        rc = tsl_mem_grow(&j->starts, &j->starts_cap, j->blocks.n + 2, sizeof *j->starts,
                          "the block table", err);
    uint8_t *chunk = rc == 0 ? tsl_store_take(j->store, err) : NULL;
    if (!chunk)
        return rc < 0 ? rc : err && err->code ? err->code : TSL_ENOMEM;
    j->starts[j->blocks.n] = j->nrows;
    tsl_rowwriter_begin(&j->writer, chunk, (uint32_t)j->plan.chunk_bytes, addr,
                        tsl_block_tune_for(64, 64, 64));
    return 0;
}

static int keep_long(struct repeat_job *j, struct tsl_rowpiece *p, struct tsl_err *err)
{
    uint64_t id;
    struct tsl_bigrow big;
    int rc = tsl_bigrows_begin(&j->bigs, err);
    if (rc < 0)
        return rc;
    for (;;) {
        rc = tsl_bigrows_add(&j->bigs, p->data, p->len, err);
        if (rc < 0 || p->last)
            break;
        rc = tsl_rowstream_next(&j->rows, p, err);
        if (rc < 0)
            break;
    }
    if (rc < 0) {
        tsl_bigrows_abandon(&j->bigs);
        return rc;
    }
    rc = tsl_bigrows_end(&j->bigs, &id, &big, err);
    j->nbytes += rc == 0 ? big.len : 0;
    if (rc == 0)
        rc = need(j, sizeof id, p->addr, err);
    if (rc == 0)
        tsl_rowwriter_put_ref(&j->writer, p->addr, id);
    return rc;
}

static int take_in(struct repeat_job *j, struct tsl_err *err)
{
    struct tsl_rowpiece p;
    int rc;
    while ((rc = tsl_rowstream_next(&j->rows, &p, err)) == 1) {
        if (!p.last || p.len > tsl_rowwriter_max(j->plan.chunk_bytes)) {
            rc = keep_long(j, &p, err);
        } else {
            rc = need(j, p.len, p.addr, err);
            if (rc == 0)
                tsl_rowwriter_put(&j->writer, p.addr, p.data, (uint32_t)p.len, true);
            j->nbytes += p.len;
        }
        if (rc < 0)
            return rc;
        j->nrows++;
    }
    if (rc == 0)
        rc = end_block(j, err);
    if (rc == 0 && j->nrows == 0)
        return tsl_err_set(err, TSL_EUSAGE, "no lines to repeat");
    if (rc == 0)
        j->starts[j->blocks.n] = j->nrows;
    return rc;
}

static int by_row(const void *a, const void *b)
{
    const struct draw *x = a, *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* The block that holds a row; it is not before block from. */
static size_t block_of(const struct repeat_job *j, uint64_t row, size_t from)
{
    size_t lo = from, hi = j->blocks.n; /* starts[lo] <= row */
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (j->starts[mid] <= row)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* Fetches the rows of draws [0, n), which are sorted, as far as the image has room.
 * Returns how many of the round's first draws are all there (in the order they were
 * drawn). */
static int fetch(struct repeat_job *j, size_t n, size_t *there, struct tsl_err *err)
{
    size_t used = 0, block = 0, lost = n; /* the first draw that found no room */
    for (size_t i = 0; i < n;) {
        block = block_of(j, j->draws[i].row, block);
        const uint8_t *chunk;
        int rc = tsl_store_peek(j->store, &j->blocks, block, j->scratch, &chunk, err);
        if (rc < 0)
            return rc;
        struct tsl_rowreader r;
        struct tsl_rowref row;
        uint64_t number = j->starts[block];
        tsl_rowreader_begin(&r, chunk);
        for (; i < n && tsl_rowreader_next(&r, &row); number++) {
            for (; i < n && j->draws[i].row == number; i++) {
                struct placed *p = &j->placed[j->draws[i].order];
                *p = (struct placed){ (uint32_t)used, row.len, 0 };
                if (row.ref) {
                    memcpy(&p->big, chunk + row.at, sizeof p->big);
                    p->big++;
                } else if (used + row.len > j->image_bytes) {
                    if (j->draws[i].order < lost)
                        lost = j->draws[i].order;
                } else {
                    memcpy(j->image + used, chunk + row.at, row.len);
                    used += row.len;
                }
            }
        }
    }
    *there = lost;
    return 0;
}

static int write_piece(void *ctx, size_t part, const uint8_t *p, size_t n,
                       struct tsl_err *err)
{
    struct repeat_job *j = ctx;
    return tsl_outset_write(j->out, part, p, n, err);
}

static int write_row(struct repeat_job *j, const struct placed *p,
                     struct tsl_shufjob_stats *st, struct tsl_err *err)
{
    const struct tsl_frame *f = &j->o->frame;
    uint8_t edge[8];
    uint64_t rows, bytes;
    uint64_t len = p->big ? tsl_bigrows_get(&j->bigs, p->big - 1).len : p->len;
    size_t head = tsl_frame_head(f), tail = tsl_frame_tail(f);
    int rc = tsl_outset_room(j->out, &rows, &bytes, err);
    if (rc == 0 && bytes < head + len + tail && bytes < j->o->out.shard_bytes)
        rc = tsl_outset_turn(j->out, err);
    tsl_frame_put_head(f, edge, len);
    if (rc == 0 && head)
        rc = tsl_outset_write(j->out, 0, edge, head, err);
    if (rc == 0 && p->big)
        rc = tsl_bigrows_stream(&j->bigs, p->big - 1, true, write_piece, j, err);
    else if (rc == 0)
        rc = tsl_outset_write(j->out, 0, j->image + p->at, p->len, err);
    tsl_frame_put_tail(f, edge);
    if (rc == 0 && tail)
        rc = tsl_outset_write(j->out, 0, edge, tail, err);
    if (rc == 0) {
        tsl_outset_count(j->out, 1);
        st->rows_out++;
        st->row_bytes_out += len;
    }
    return rc;
}

static int draw_all(struct repeat_job *j, struct tsl_shufjob_stats *st,
                    struct tsl_err *err)
{
    struct tsl_key key = tsl_key_make(j->o->seed, "draw rows");
    uint64_t done = 0, want = j->o->head;
    /* rounds grow, so that the first rows come at once and long runs cost few walks */
    for (size_t round = ROUND_MIN; done < want;) {
        size_t n = want - done < round ? (size_t)(want - done) : round, there;
        for (size_t i = 0; i < n; i++)
            j->draws[i] =
                (struct draw){ tsl_key_below(&key, done + i, j->nrows), (uint32_t)i };
        qsort(j->draws, n, sizeof *j->draws, by_row);
        int rc = fetch(j, n, &there, err);
        for (size_t i = 0; i < there && rc == 0; i++)
            rc = write_row(j, &j->placed[i], st, err);
        if (rc < 0)
            return rc;
        done += there;
        if (there < n)
            round = there / 2 > 1 ? there / 2 : 1;
        else
            round = round * 2 < j->ndraws ? round * 2 : j->ndraws;
    }
    return 0;
}

static int make_buffers(struct repeat_job *j, struct tsl_err *err)
{
    /* a quarter of the memory for the round: half of that for rows, half for bookkeeping
     */
    j->image_bytes = j->plan.memory / 8 > IMAGE_MIN ? j->plan.memory / 8 : IMAGE_MIN;
    if (j->image_bytes < j->plan.chunk_bytes)
        j->image_bytes = j->plan.chunk_bytes; /* any single row */
    if (j->image_bytes > UINT32_MAX / 2)
        j->image_bytes = UINT32_MAX / 2;
    j->ndraws = j->image_bytes / (sizeof *j->draws + sizeof *j->placed);
    j->image = tsl_pages_map(j->image_bytes, "drawn rows", err);
    j->scratch = tsl_pages_map(j->plan.chunk_bytes + TSL_BLOCK_SLACK, "a block", err);
    j->draws = tsl_pages_map(j->ndraws * sizeof *j->draws, "draws", err);
    j->placed = tsl_pages_map(j->ndraws * sizeof *j->placed, "draws", err);
    return j->image && j->scratch && j->draws && j->placed ? 0 : TSL_ENOMEM;
}

/* The output's names are looked at before anything is read. */
static int open_all(struct repeat_job *j, struct tsl_err *err)
{
    const struct tsl_shufjob_opts *o = j->o;
    struct tsl_outset_opts oo = o->out;
    struct tsl_store_opts so = {
        .bytes = j->plan.store_bytes / 4 * 3,
        .chunk_bytes = j->plan.chunk_bytes,
        .nwriters = j->plan.nwriters,
        .dirs = o->dirs,
        .ndirs = o->ndirs,
        .compress = o->temp_auto ? TSL_CODEC_NONE : o->temp_codec,
        .level = o->temp_level,
        .progress = o->progress,
    };
    struct tsl_inputs_opts io = {
        .paths = o->paths,
        .npaths = o->npaths,
        .memory = o->rows_given,
        .memory_len = o->rows_given_len,
        .frame = o->frame_in,
        .header_rows = o->header_rows,
        .batch_bytes = j->plan.batch_bytes,
        .window_max = j->plan.window_max,
        .progress = o->progress,
    };
    struct tsl_blocklist *rank[2] = { &j->bigs.list, &j->blocks };
    oo.nparts = 1;
    oo.nthreads = j->plan.nthreads;
    oo.progress = o->progress;
    int rc = tsl_outset_create(&j->out, &oo, err);
    if (rc == 0)
        rc = tsl_store_create(&j->store, &so, err);
    if (rc == 0) {
        tsl_bigrows_init(&j->bigs, j->store, j->plan.chunk_bytes, 1);
        rc = tsl_store_rank(j->store, rank, 2, err);
    }
    if (rc == 0)
        rc = make_buffers(j, err);
    if (rc == 0)
        rc = tsl_rowstream_init(&j->rows, &io, err);
    return rc;
}

static int give_out(struct repeat_job *j, struct tsl_shufjob_stats *st,
                    struct tsl_err *err)
{
    const uint8_t *header[1];
    size_t header_len[1];
    tsl_inputs_header(j->rows.in, &header[0], &header_len[0]);
    int rc = tsl_outset_begin(j->out, j->o->head, header, header_len, err);
    if (rc == 0)
        rc = draw_all(j, st, err);
    if (rc == 0)
        rc = tsl_outset_commit(j->out, err);
    return rc;
}

static void tell(const struct repeat_job *j, struct tsl_shufjob_stats *st)
{
    st->rows_read = st->in.rows = j->nrows;
    st->bytes_read = st->in.bytes = j->nbytes;
    if (j->store) {
        struct tsl_store_stats ss = tsl_store_stats(j->store);
        st->temp_bytes = ss.disk.written;
        st->temp_peak_bytes = ss.disk.peak;
        st->blocks_spilled = ss.blocks_spilled;
        st->temp_compressed = ss.compressed;
    }
    if (j->out) {
        st->files_out = tsl_outset_files(j->out);
        st->bytes_out = tsl_outset_bytes(j->out);
    }
}

static void close_all(struct repeat_job *j)
{
    if (j->writer.chunk)
        tsl_store_give(j->store, j->writer.chunk);
    if (j->store)
        tsl_store_drop(j->store, &j->blocks);
    tsl_bigrows_fini(&j->bigs);
    tsl_store_destroy(j->store);
    if (j->rows.in)
        tsl_rowstream_fini(&j->rows);
    tsl_outset_destroy(j->out);
    tsl_pages_unmap(j->image, j->image_bytes);
    tsl_pages_unmap(j->scratch, j->plan.chunk_bytes + TSL_BLOCK_SLACK);
    tsl_pages_unmap(j->draws, j->ndraws * sizeof *j->draws);
    tsl_pages_unmap(j->placed, j->ndraws * sizeof *j->placed);
    tsl_mem_free(j->starts);
}

int tsl_shufrepeat_run(const struct tsl_shufjob_opts *o, struct tsl_shufjob_stats *st,
                       struct tsl_err *err)
{
    struct repeat_job j = { .o = o };
    struct tsl_inputs_size size;
    double start = tsl_seconds();
    *st = (struct tsl_shufjob_stats){ 0 };
    int rc = tsl_shufjob_plan(o, &j.plan, &size, err);
    if (rc < 0)
        return rc;
    st->plan = j.plan;
    rc = open_all(&j, err);
    if (rc == 0 && o->head > 0)
        rc = take_in(&j, err);
    st->seconds_in = tsl_seconds() - start;
    if (rc == 0)
        rc = give_out(&j, st, err);
    st->seconds_out = tsl_seconds() - start - st->seconds_in;
    tell(&j, st);
    close_all(&j);
    return rc;
}
